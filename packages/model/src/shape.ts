/**
 * What a value is made of, as far as it is read. An API server sees to that for the kinds that it knows; objects from files, and kinds
 * without a schema, may hold anything.
 */

export type Shape =
  | 'text'
  | 'number'
  | 'flag'
  | 'number or text'
  | readonly [item: Shape]
  | { readonly texts: true }
  | { readonly fields: Readonly<Record<string, Shape>> }

/** Where something else is than is needed. */
export interface Misfit {
  /** `spec.ports[0]`. */
  readonly path: string
  readonly found: string
  readonly wanted: string
}

/** The first place in which a value is not of a shape; undefined where it is, or is not there. */
export function misfit(shape: Shape, value: unknown, path: string): Misfit | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return isNot(value, path, 'a list')
    return first(
      value.map((item, i) => [item, `${path}[${i}]`] as const),
      ([item, at]) => (item === null ? isNot(item, at, nameOf(shape[0])) : misfit(shape[0], item, at)),
    )
  }
  if (typeof shape === 'string') return SCALARS[shape](value) ? undefined : isNot(value, path, nameOf(shape))
  if (typeof value !== 'object' || Array.isArray(value)) return isNot(value, path, nameOf(shape))
  const at = (name: string) => (path === '' ? name : `${path}.${name}`)
  if ('texts' in shape)
    return first(Object.entries(value), ([name, entry]) => (typeof entry === 'string' ? undefined : isNot(entry, at(name), 'a text')))
  if ('fields' in shape) return first(Object.entries(shape.fields), ([name, field]) => misfit(field, Reflect.get(value, name), at(name)))
  return undefined
}

const SCALARS = {
  text: (value: unknown) => typeof value === 'string',
  number: (value: unknown) => typeof value === 'number',
  flag: (value: unknown) => typeof value === 'boolean',
  'number or text': (value: unknown) => typeof value === 'number' || typeof value === 'string',
} as const

const nameOf = (shape: Shape): string =>
  Array.isArray(shape)
    ? 'a list'
    : typeof shape !== 'string'
      ? 'an object'
      : { text: 'a text', number: 'a number', flag: 'true or false', 'number or text': 'a number or a text' }[shape as 'text']

const isNot = (value: unknown, path: string, wanted: string): Misfit => ({
  path,
  found: Array.isArray(value) ? 'a list' : value !== null && typeof value === 'object' ? 'an object' : String(JSON.stringify(value)),
  wanted,
})

function first<T>(items: readonly T[], look: (item: T) => Misfit | undefined): Misfit | undefined {
  for (const item of items) {
    const found = look(item)
    if (found !== undefined) return found
  }
  return undefined
}
