/**
 * Words to define a message with: `message('Percent', { value: double('Share in percent.') })`.
 *
 * Enters: the definition as a person writes it. Leaves: a node (see `node.ts`) whose TypeScript type is inferred; read it with
 * `Static<typeof Percent>`. All properties are `readonly`; those not marked `required` are optional.
 */
import type { CelRule, FieldNode, MessageNode, Node } from './node.ts'

declare const type: unique symbol

/** One field's definition; `T` is its TypeScript type. */
export interface Field<T> {
  readonly node: Node
  readonly isRequired: boolean
  readonly aliases: readonly string[]
  /** Holds no value: carries `T` for inference. */
  readonly [type]?: T
}

/** A field without which an object is refused. */
export interface RequiredField<T> extends Field<T> {
  readonly isRequired: true
}

export type Fields = Readonly<Record<string, Field<unknown>>>

type TypeOf<F> = F extends Field<infer T> ? T : never
type RequiredKeys<F> = { [K in keyof F]: F[K] extends RequiredField<unknown> ? K : never }[keyof F]

/** A message's definition. */
export interface Message<F extends Fields> {
  readonly node: MessageNode
  readonly [type]?: F
}

/** The TypeScript type of a message's definition. */
export type Static<M> =
  M extends Message<infer F>
    ? Flat<{ readonly [K in RequiredKeys<F>]: TypeOf<F[K]> } & { readonly [K in Exclude<keyof F, RequiredKeys<F>>]?: TypeOf<F[K]> }>
    : never

type Flat<T> = { [K in keyof T]: T[K] }

interface Extra {
  readonly rules?: readonly CelRule[]
  readonly nullable?: boolean
}

interface TextExtra extends Extra {
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

interface NumberExtra extends Extra {
  readonly minimum?: number
  readonly maximum?: number
}

interface ListExtra extends Extra {
  readonly minItems?: number
  readonly maxItems?: number
  readonly mapKeys?: readonly string[]
}

interface MapExtra extends Extra {
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly numericKeys?: boolean
}

const UINT32 = 4_294_967_295

function field<T>(node: Node): Field<T> {
  return { node, isRequired: false, aliases: [] }
}

export function text(description?: string, extra: TextExtra = {}): Field<string> {
  return field({ kind: 'text', ...described(description), ...extra })
}

/** A duration text such as `1.5s` or `250ms`. */
export function duration(description?: string, extra: TextExtra = {}): Field<string> {
  return field({ kind: 'text', format: 'duration', ...described(description), ...extra })
}

/** A duration text that an API server too refuses below one millisecond. */
export function positiveDuration(description?: string): Field<string> {
  return duration(description, { rules: [{ rule: "duration(self) >= duration('1ms')", message: 'must be a duration of at least 1ms' }] })
}

/** Bytes in base64. */
export function bytes(description?: string): Field<string> {
  return field({ kind: 'text', format: 'byte', ...described(description) })
}

export function dateTime(description?: string): Field<string> {
  return field({ kind: 'text', format: 'date-time', ...described(description) })
}

export function flag(description?: string, extra: Extra = {}): Field<boolean> {
  return field({ kind: 'flag', ...described(description), ...extra })
}

export function int32(description?: string, extra: NumberExtra = {}): Field<number> {
  return field({ kind: 'number', number: 'int32', ...described(description), ...extra })
}

export function uint32(description?: string, extra: NumberExtra = {}): Field<number> {
  return field({ kind: 'number', number: 'uint32', ...described(description), minimum: 0, maximum: UINT32, ...extra })
}

export function uint64(description?: string, extra: NumberExtra = {}): Field<number> {
  return field({ kind: 'number', number: 'uint64', ...described(description), minimum: 0, ...extra })
}

export function double(description?: string, extra: NumberExtra = {}): Field<number> {
  return field({ kind: 'number', number: 'double', ...described(description), ...extra })
}

/** One of the given words; Protobuf's numbers are their places in the list unless `numbers` says otherwise. */
export function oneOf<const V extends readonly string[]>(values: V, description?: string, numbers?: readonly number[]): Field<V[number]> {
  return field({ kind: 'enum', values, ...described(description), ...(numbers && { numbers }) })
}

export function list<T>(items: Field<T>, description?: string, extra: ListExtra = {}): Field<readonly T[]> {
  return field({ kind: 'list', items: items.node, ...described(description), ...extra })
}

export function map<T>(values: Field<T>, description?: string, extra: MapExtra = {}): Field<Readonly<Record<string, T>>> {
  return field({ kind: 'map', values: values.node, ...described(description), ...extra })
}

/** Any JSON object, kept as it is. */
export function free(description?: string): Field<Readonly<Record<string, unknown>>> {
  return field({ kind: 'free', ...described(description) })
}

export function intOrText(description?: string): Field<number | string> {
  return field({ kind: 'int-or-text', ...described(description) })
}

/** A field that holds a message; the description says what it means here. */
export function of<F extends Fields>(definition: Message<F>, description?: string, extra: Extra = {}): Field<Static<Message<F>>> {
  return field({
    ...definition.node,
    ...described(description),
    ...extra,
    rules: [...(definition.node.rules ?? []), ...(extra.rules ?? [])],
  })
}

/** Marks a field without which an object is refused. */
export function required<T>(definition: Field<T>): RequiredField<T> {
  return { ...definition, isRequired: true }
}

/** Gives a field older names, which the CRD knows as well. */
export function alias<T>(definition: Field<T>, ...aliases: string[]): Field<T> {
  return { ...definition, aliases }
}

interface MessageExtra {
  readonly description?: string
  /** Groups of fields of which at most one may be set. */
  readonly oneOfs?: readonly (readonly string[])[]
  readonly rules?: readonly CelRule[]
}

export function message<F extends Fields>(name: string, fields: F, extra: MessageExtra = {}): Message<F> {
  const nodes: Record<string, FieldNode> = {}
  for (const [key, { node, isRequired, aliases }] of Object.entries(fields)) nodes[key] = { node, required: isRequired, aliases }
  return { node: { kind: 'message', name, fields: nodes, oneOfs: [], ...extra } }
}

function described(description: string | undefined): { description?: string } {
  return description === undefined ? {} : { description }
}
