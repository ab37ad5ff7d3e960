/** Fields of JSON that Envoy's messages do not have. */
import type { DescField, DescMessage } from '@bufbuild/protobuf'

export interface UnknownField {
  readonly field: string
  /** Full name of the message that lacks it. */
  readonly message: string
  /** Where it stands: `filterChains[0].typo`. */
  readonly path: string
}

/** What is deeper is left to Envoy. */
const DEEPEST = 50

/**
 * The first field, in the order of the text, that a message has neither by its own name nor by its JSON name. What an Any holds is not
 * looked into, nor are values of a wrong type.
 */
export function unknownField(schema: DescMessage, value: unknown, path = '', depth = 0): UnknownField | undefined {
  if (depth > DEEPEST || schema.typeName.startsWith('google.protobuf.') || !isObject(value)) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`
    const field = schema.fields.find(({ name, jsonName }) => name === key || jsonName === key)
    if (!field) return { field: key, message: schema.typeName, path: at }
    const found = within(field, inner, at, depth + 1)
    if (found) return found
  }
  return undefined
}

function within(field: DescField, value: unknown, path: string, depth: number): UnknownField | undefined {
  const { message } = field
  if (!message) return undefined
  if (field.fieldKind === 'message') return unknownField(message, value, path, depth)
  const entries =
    field.fieldKind === 'list'
      ? (Array.isArray(value) ? value : []).map((one: unknown, i) => [`${path}[${i}]`, one] as const)
      : Object.entries(isObject(value) ? value : {}).map(([key, one]) => [`${path}[${JSON.stringify(key)}]`, one] as const)
  for (const [at, one] of entries) {
    const found = unknownField(message, one, at, depth)
    if (found) return found
  }
  return undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
