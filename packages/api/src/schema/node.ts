/**
 * The one form in which a message of the API is defined; TypeScript types, CRDs, checks, editor schema and reference are read off it.
 *
 * It holds more than JSON Schema does (Protobuf's number kinds, enum numbers, one-of groups, older names), because objects reach us
 * as Protobuf's JSON mapping; `json-schema.ts` derives JSON Schema.
 */

/** A CEL rule that an API server evaluates, with the message that it shows. */
export interface CelRule {
  readonly rule: string
  readonly message: string
}

interface Described {
  /** A sentence for `kubectl explain`, editor completion and the reference. */
  readonly description?: string
  readonly rules?: readonly CelRule[]
  /** `null` means "not set" to an API server (Protobuf's wrapper types). */
  readonly nullable?: boolean
}

export interface TextNode extends Described {
  readonly kind: 'text'
  /** `duration`: Protobuf's or Go's duration text; `byte`: base64. */
  readonly format?: 'duration' | 'byte' | 'date-time'
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

export interface FlagNode extends Described {
  readonly kind: 'flag'
}

export interface NumberNode extends Described {
  readonly kind: 'number'
  readonly number: 'int32' | 'uint32' | 'uint64' | 'double'
  readonly minimum?: number
  readonly maximum?: number
}

export interface EnumNode extends Described {
  readonly kind: 'enum'
  readonly values: readonly string[]
  /** Protobuf's numbers of the values, where they are not 0, 1, 2, … */
  readonly numbers?: readonly number[]
}

export interface ListNode extends Described {
  readonly kind: 'list'
  readonly items: Node
  readonly minItems?: number
  readonly maxItems?: number
  /** The fields that tell elements apart, for server-side apply. */
  readonly mapKeys?: readonly string[]
}

export interface MapNode extends Described {
  readonly kind: 'map'
  readonly values: Node
  readonly minProperties?: number
  readonly maxProperties?: number
  /** Keys are numbers in Protobuf. */
  readonly numericKeys?: boolean
}

export interface MessageNode extends Described {
  readonly kind: 'message'
  readonly name: string
  readonly fields: Readonly<Record<string, FieldNode>>
  /** Groups of fields of which at most one may be set. */
  readonly oneOfs: readonly (readonly string[])[]
}

/** Any JSON object, kept as it is. */
export interface FreeNode extends Described {
  readonly kind: 'free'
}

/** A whole number or a text (only in `status`). */
export interface IntOrTextNode extends Described {
  readonly kind: 'int-or-text'
}

export type Node = TextNode | FlagNode | NumberNode | EnumNode | ListNode | MapNode | MessageNode | FreeNode | IntOrTextNode

export interface FieldNode {
  readonly node: Node
  readonly required: boolean
  /** Older names that the CRD knows beside the field's own. */
  readonly aliases: readonly string[]
}
