/**
 * Values as Go templates see them. Plain objects are maps, whose keys are taken as they are; {@link GoStruct} stands for Go structs, whose
 * fields a template names in Go's way (`.Spec.Containers`, `.GetTracing`) and Kubernetes and Istio in JSON's (`spec.containers`).
 */
import { isRecord } from '../../pod/pod.ts'

/** Fields of Kubernetes and Istio structs that are maps with free keys. */
const MAP_FIELDS = new Set([
  'labels',
  'annotations',
  'nodeselector',
  'limits',
  'requests',
  'matchlabels',
  'proxymetadata',
  'runtimevalues',
  'overhead',
])

/** A struct over its JSON form. */
export class GoStruct {
  readonly json: Readonly<Record<string, unknown>>
  constructor(json: Readonly<Record<string, unknown>>) {
    this.json = json
  }

  /** The field, under Go's or JSON's name; `undefined` where it is not set. */
  field(name: string): unknown {
    const wanted = name.toLowerCase()
    const key = Object.keys(this.json).find((candidate) => candidate.toLowerCase() === wanted)
    return key === undefined ? undefined : wrap(this.json[key], MAP_FIELDS.has(wanted))
  }
}

/** A JSON value inside a struct: objects in it are structs as well, but for those known to be maps. */
function wrap(value: unknown, isMap: boolean): unknown {
  if (value instanceof GoStruct || isMap) return value ?? {}
  if (Array.isArray(value)) return value.map((item) => wrap(item, false))
  return isRecord(value) ? new GoStruct(value) : value
}

/** The JSON form of a value. */
export function plain(value: unknown): unknown {
  if (value instanceof GoStruct) return plain(value.json)
  if (Array.isArray(value)) return value.map(plain)
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)])) : value
}

/** `value.name`: field, getter, or map entry. */
export function fieldOf(value: unknown, name: string): unknown {
  if (value instanceof GoStruct)
    return value.field(name) ?? (name.startsWith('Get') ? (value.field(name.slice(3)) ?? getter(value, name)) : undefined)
  if (isRecord(value)) return Object.hasOwn(value, name) ? value[name] : undefined
  return getter(value, name)
}

/** Methods of enums and of wrapped numbers and truth values, which JSON writes bare. */
function getter(value: unknown, name: string): unknown {
  if (name === 'GetValue' || name === 'Value') return value ?? false
  return name === 'String' ? print(value) : undefined
}

/** Go's truth: not empty, not zero. */
export function truthy(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof GoStruct) return true
  return isRecord(value) ? Object.keys(value).length > 0 : true
}

/** A value as Go prints it: maps as `map[a:1 b:2]`, lists as `[1 2]`. */
export function print(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`
  if (value instanceof GoStruct) return `{${Object.values(value.json).map(print).join(' ')}}`
  if (isRecord(value))
    return `map[${entriesOf(value)
      .map(([key, item]) => `${key}:${print(item)}`)
      .join(' ')}]`
  return String(value)
}

/** Entries of a map in order of key, as Go's templates walk them. */
export function entriesOf(map: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))
}
