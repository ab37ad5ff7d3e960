/** Reading JSON of unknown origin: wrong types read as absent. Envoy writes field names as in its proto files; both forms are read. */
export type Fields = Readonly<Record<string, unknown>>

export function fields(value: unknown): Fields {
  // The prototype of parsed JSON objects has no fields of its own that names here could meet.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

/** The field `name`, given as in the proto file, or in its JSON form. */
export function at(value: unknown, ...names: readonly string[]): unknown {
  let current = value
  for (const name of names) {
    const record = fields(current)
    current = Object.hasOwn(record, name) ? record[name] : record[name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())]
  }
  return current
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A number; 64-bit ones are strings in JSON. Zero when absent. */
export function number(value: unknown): number {
  const parsed = typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : 0
  return Number.isFinite(parsed) ? parsed : 0
}
