/** Answers that are not a success: Kubernetes `Status` objects as exceptions. */
import type { Obj } from './values.ts'

export interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

/** A refusal; `code` is the HTTP status, `reason` the machine-readable reason of the Status object. */
export class StatusError extends Error {
  readonly code: number
  readonly reason: string
  readonly details: StatusDetails | undefined

  constructor(code: number, reason: string, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApiError'
    this.code = code
    this.reason = reason
    this.details = details
  }

  /** The `Status` object that is sent. */
  toStatus(): Obj {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason ? { reason: this.reason } : {}),
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    }
  }
}

export interface ResourceName {
  readonly group: string
  readonly plural: string
  readonly kind: string
}

const qualified = (r: ResourceName) => (r.group ? `${r.plural}.${r.group}` : r.plural)
const details = (r: ResourceName, name: string): StatusDetails => ({ name, ...(r.group ? { group: r.group } : {}), kind: r.plural })

export const notFound = (r: ResourceName, name: string) =>
  new StatusError(404, 'NotFound', `${qualified(r)} "${name}" not found`, details(r, name))

export const notServed = () => new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})

export const alreadyExists = (r: ResourceName, name: string) =>
  new StatusError(409, 'AlreadyExists', `${qualified(r)} "${name}" already exists`, details(r, name))

export const conflict = (
  r: ResourceName,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
) => new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(r)} "${name}": ${why}`, details(r, name))

export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message)

export const forbidden = (r: ResourceName, name: string, why: string) =>
  new StatusError(403, 'Forbidden', `${qualified(r)} ${name ? `"${name}" ` : ''}is forbidden: ${why}`, details(r, name))

export const gone = (message: string) => new StatusError(410, 'Expired', message)

export const methodNotAllowed = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})

export const unsupportedMediaType = (message: string) => new StatusError(415, 'UnsupportedMediaType', message)

export const notAcceptable = (accepted: readonly string[]) =>
  new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)

export const tooLarge = (message: string) => new StatusError(413, 'RequestEntityTooLarge', message)

export const internal = (message: string, cause?: unknown) =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, undefined, { cause })

/** One violation found in an object. */
export interface FieldError {
  readonly field: string
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTypeInvalid'
    | 'FieldValueTooMany'
  readonly message: string
}

const shown = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : value === undefined ? 'null' : JSON.stringify(value)
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}
const colon = (label: string, detail: string) => (detail ? `${label}: ${detail}` : label)

export const required = (field: string, detail = ''): FieldError => ({
  field,
  reason: 'FieldValueRequired',
  message: colon('Required value', detail),
})
export const invalid = (field: string, value: unknown, detail: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: colon(`Invalid value: ${shown(value)}`, detail),
})
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  ...invalid(field, value, detail),
  reason: 'FieldValueTypeInvalid',
})
export const unsupported = (field: string, value: unknown, supported: readonly unknown[]): FieldError => ({
  field,
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${shown(value)}: supported values: ${supported.map(shown).join(', ')}`,
})
export const duplicate = (field: string, value: unknown): FieldError => ({
  field,
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shown(value)}`,
})
export const fieldForbidden = (field: string, detail: string): FieldError => ({
  field,
  reason: 'FieldValueForbidden',
  message: colon('Forbidden', detail),
})
export const tooLong = (field: string, max: number): FieldError => ({
  field,
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${max} bytes`,
})

/** The 422 answer for an object with violations. */
export function invalidObject(r: ResourceName, name: string, errors: readonly FieldError[]): StatusError {
  const unique = [...new Map(errors.map((e) => [`${e.field}\n${e.message}`, e])).values()]
  const lines = unique.map((e) => (e.field ? `${e.field}: ${e.message}` : e.message))
  const text = lines.length === 1 ? (lines[0] ?? '') : `[${lines.join(', ')}]`
  const kind = r.group ? `${r.kind}.${r.group}` : r.kind
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    name,
    ...(r.group ? { group: r.group } : {}),
    kind: r.kind,
    causes: unique.map((e) => ({ reason: e.reason, message: e.message, field: e.field })),
  })
}
