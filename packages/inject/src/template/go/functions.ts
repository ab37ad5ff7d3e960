/** Functions that injection templates may call: Go's own, those of the sprig library that templates in the field use, and Istio's. */
import { stringify } from 'yaml'
import { orderedJson } from '../../pod/field-order.ts'
import { isRecord } from '../../pod/pod.ts'
import { mergeValues } from '../../settings/values.ts'
import { appendMultusNetwork } from '../parts/metadata.ts'
import { TemplateError } from './tokens.ts'
import { entriesOf, GoStruct, plain, print, truthy } from './values.ts'

export type GoFunction = (...args: unknown[]) => unknown

/** A text that a function may make is at most this long. */
const MAX_LENGTH = 1024 * 1024

const text = (value: unknown): string => (value instanceof GoStruct ? print(value) : typeof value === 'string' ? value : print(value))
const number = (value: unknown): number => {
  const result = typeof value === 'boolean' ? Number(value) : Number(text(value) || 0)
  return Number.isNaN(result) ? 0 : result
}
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const map = (value: unknown): Readonly<Record<string, unknown>> => (value instanceof GoStruct ? value.json : isRecord(value) ? value : {})
/** Istio's `indent` leaves the first line where it is, for a template has indented that itself; `nindent` is sprig's. */
const indent = (width: unknown, value: unknown): string =>
  bounded(text(value).replaceAll('\n', `\n${' '.repeat(Math.max(0, Math.min(200, number(width))))}`))

function bounded(value: string): string {
  if (value.length > MAX_LENGTH) throw new TemplateError(`a template made a text longer than ${MAX_LENGTH} characters`)
  return value
}

function same(a: unknown, b: unknown): boolean {
  return (a ?? '') === (b ?? '') || JSON.stringify(plain(a)) === JSON.stringify(plain(b))
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' || typeof b === 'number') return number(a) - number(b)
  return text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0
}

/** Go's own functions, but for `and` and `or`, which do not evaluate all their arguments. */
const GO: Readonly<Record<string, GoFunction>> = {
  not: (value) => !truthy(value),
  eq: (first, ...others) => others.some((other) => same(first, other)),
  ne: (a, b) => !same(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  len: (value) =>
    typeof value === 'string'
      ? new TextEncoder().encode(value).length
      : Array.isArray(value)
        ? value.length
        : Object.keys(map(value)).length,
  index: (value, ...keys) =>
    keys.reduce<unknown>(
      (at, key) => (Array.isArray(at) ? at[number(key)] : Object.hasOwn(map(at), text(key)) ? map(at)[text(key)] : undefined),
      value,
    ),
  slice: (value, from, to) =>
    (typeof value === 'string' ? value : list(value)).slice(
      from === undefined ? 0 : number(from),
      to === undefined ? undefined : number(to),
    ),
  print: (...args) => args.map(text).join(''),
  println: (...args) => `${args.map(text).join(' ')}\n`,
  printf: (format, ...args) => bounded(printf(text(format), args)),
  html: (value) => text(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`),
  urlquery: (value) => encodeURIComponent(text(value)),
}

/** sprig. */
const SPRIG: Readonly<Record<string, GoFunction>> = {
  default: (fallback, value) => (truthy(value) ? value : fallback),
  empty: (value) => !truthy(value),
  coalesce: (...values) => values.find(truthy),
  ternary: (yes, no, condition) => (truthy(condition) ? yes : no),
  required: (message, value) => (truthy(value) ? value : stop(message)),
  fail: (message) => stop(message),
  quote: (...values) =>
    values
      .filter((v) => v !== undefined)
      .map((v) => JSON.stringify(text(v)))
      .join(' '),
  squote: (...values) =>
    values
      .filter((v) => v !== undefined)
      .map((v) => `'${text(v)}'`)
      .join(' '),
  trunc: (length, value) => (number(length) < 0 ? text(value).slice(number(length)) : text(value).slice(0, number(length))),
  trim: (value) => text(value).trim(),
  trimSuffix: (suffix, value) =>
    text(suffix) !== '' && text(value).endsWith(text(suffix)) ? text(value).slice(0, -text(suffix).length) : text(value),
  trimPrefix: (prefix, value) => (text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : text(value)),
  trimAll: (chars, value) => trimAll(text(chars), text(value)),
  upper: (value) => text(value).toUpperCase(),
  lower: (value) => text(value).toLowerCase(),
  title: (value) => text(value).replace(/\b\w/g, (c) => c.toUpperCase()),
  replace: (from, to, value) => bounded(text(value).replaceAll(text(from), text(to))),
  repeat: (count, value) =>
    number(count) * text(value).length > MAX_LENGTH
      ? stop(`a template made a text longer than ${MAX_LENGTH} characters`)
      : text(value).repeat(Math.max(0, number(count))),
  nospace: (value) => text(value).replace(/\s/g, ''),
  hasPrefix: (prefix, value) => text(value).startsWith(text(prefix)),
  hasSuffix: (suffix, value) => text(value).endsWith(text(suffix)),
  join: (separator, values) => bounded(list(values).map(text).join(text(separator))),
  splitList: (separator, value) => text(value).split(text(separator)),
  split: (separator, value) =>
    Object.fromEntries(
      text(value)
        .split(text(separator))
        .map((part, index) => [`_${index}`, part]),
    ),
  list: (...values) => values,
  tuple: (...values) => values,
  append: (values, value) => [...list(values), value],
  prepend: (values, value) => [value, ...list(values)],
  concat: (...lists) => lists.flatMap(list),
  uniq: (values) => [...new Set(list(values))],
  sortAlpha: (values) => list(values).map(text).sort(),
  without: (values, ...dropped) => list(values).filter((value) => !dropped.some((one) => same(one, value))),
  compact: (values) => list(values).filter(truthy),
  has: (value, values) => list(values).some((one) => same(one, value)),
  first: (values) => list(values)[0],
  last: (values) => list(values).at(-1),
  rest: (values) => list(values).slice(1),
  initial: (values) => list(values).slice(0, -1),
  until: (count) => Array.from({ length: Math.max(0, Math.min(10_000, number(count))) }, (_, index) => index),
  dict: (...pairs) => Object.fromEntries(pairs.flatMap((key, index) => (index % 2 === 0 ? [[text(key), pairs[index + 1]]] : []))),
  get: (values, key) => map(values)[text(key)] ?? '',
  set: (values, key, value) => ({ ...map(values), [text(key)]: value }),
  unset: (values, key) => Object.fromEntries(Object.entries(map(values)).filter(([name]) => name !== text(key))),
  hasKey: (values, key) => Object.hasOwn(map(values), text(key)),
  keys: (values) => Object.keys(map(values)).sort(),
  values: (values) => entriesOf(map(values)).map(([, value]) => value),
  pick: (values, ...keys) => Object.fromEntries(Object.entries(map(values)).filter(([name]) => keys.map(text).includes(name))),
  merge: (base, ...others) =>
    others.reduce<Readonly<Record<string, unknown>>>((merged, other) => mergeValues(map(other), merged), map(base)),
  mergeOverwrite: (base, ...others) =>
    others.reduce<Readonly<Record<string, unknown>>>((merged, other) => mergeValues(merged, map(other)), map(base)),
  add: (...values) => values.reduce<number>((sum, value) => sum + number(value), 0),
  add1: (value) => number(value) + 1,
  sub: (a, b) => number(a) - number(b),
  mul: (...values) => values.reduce<number>((product, value) => product * number(value), 1),
  div: (a, b) => (number(b) === 0 ? stop('division by zero') : Math.trunc(number(a) / number(b))),
  mod: (a, b) => (number(b) === 0 ? stop('division by zero') : number(a) % number(b)),
  max: (...values) => Math.max(...values.map(number)),
  min: (...values) => Math.min(...values.map(number)),
  int: (value) => Math.trunc(number(value)),
  int64: (value) => Math.trunc(number(value)),
  float64: (value) => number(value),
  atoi: (value) => Math.trunc(number(value)),
  toString: (value: unknown) => text(value),
  toStrings: (values) => list(values).map(text),
  kindIs: (kind, value) => kindOf(value) === text(kind),
  kindOf: (value) => kindOf(value),
  b64enc: (value) => btoa(Array.from(new TextEncoder().encode(text(value)), (byte) => String.fromCharCode(byte)).join('')),
  b64dec: (value) => new TextDecoder().decode(Uint8Array.from(atob(text(value)), (c) => c.charCodeAt(0))),
  nindent: (width, value) => indent(width, `\n${text(value)}`),
  toPrettyJson: (value) => JSON.stringify(plain(value), undefined, 2),
}

/** Istio's. */
const ISTIO: Readonly<Record<string, GoFunction>> = {
  annotation: (meta, name, fallback) => {
    const annotations = map(map(meta).annotations)
    const value = Object.hasOwn(annotations, text(name)) ? annotations[text(name)] : undefined
    return value === undefined ? text(fallback) : value
  },
  isset: (values, key) => Object.hasOwn(map(values), text(key)),
  valueOrDefault: (value, fallback) => (truthy(value) ? value : fallback),
  contains: (part, whole) => text(whole).includes(text(part)),
  toLower: (value) => text(value).toLowerCase(),
  excludeInboundPort: (port, excluded) => {
    const wanted = text(port).trim()
    const ports = text(excluded)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    return wanted === '' || wanted === '0' || ports.includes(wanted) ? text(excluded) : [...ports, wanted].join(',')
  },
  includeInboundPorts: (containers) => portsOf(containers).join(','),
  applicationPorts: (containers) => portsOf(containers).join(','),
  kubevirtInterfaces: (value) => text(value),
  excludeInterfaces: (value) => text(value),
  toYaml: (value) => (value === undefined ? '' : bounded(stringify(plain(value)).trimEnd())),
  toJSON: (value) => JSON.stringify(Object.fromEntries(entriesOf(map(value)).map(([key, item]) => [key, plain(item)]))),
  toJson: (value) => JSON.stringify(plain(value) ?? null),
  structToJSON: (value) => orderedJson(plain(value)),
  fromJSON: (value) => parseJson(text(value)),
  fromJson: (value) => parseJson(text(value)),
  indent,
  directory: (value) => text(value).replace(/\/[^/]*$/, '') || '/',
  appendMultusNetwork: (existing, network) => appendMultusNetwork(text(existing), text(network)),
  strdict: (...pairs) => Object.fromEntries(pairs.flatMap((key, index) => (index % 2 === 0 ? [[text(key), text(pairs[index + 1])]] : []))),
  toJsonMap: (...maps) => JSON.stringify(Object.assign({}, ...maps.map(map))),
  mergeMaps: (...maps) => Object.assign({}, ...maps.map(map)),
  omit: (values, ...keys) => Object.fromEntries(Object.entries(map(values)).filter(([name]) => !keys.map(text).includes(name))),
  omitNil: (values) => Object.fromEntries(Object.entries(map(values)).filter(([, value]) => value !== undefined && value !== null)),
  formatDuration: (value) => text(value),
  // A template's result must not depend on the machine that renders it: unset, like everywhere but in that process.
  env: (_name, fallback) => fallback,
}

export const FUNCTIONS: Readonly<Record<string, GoFunction>> = { ...GO, ...SPRIG, ...ISTIO }

function printf(format: string, args: readonly unknown[]): string {
  let next = 0
  return format.replace(
    /%([-+0 #]*)([0-9]*)(?:\.([0-9]+))?([a-zA-Z%])/g,
    (whole, _flags, _width, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%'
      const value = args[next++]
      switch (verb) {
        case 'd':
          return String(Math.trunc(number(value)))
        case 'q':
          return JSON.stringify(text(value))
        case 'f':
          return number(value).toFixed(precision === undefined ? 6 : Math.min(20, Number(precision)))
        case 't':
          return String(truthy(value))
        case 's':
        case 'v':
          return text(value)
        default:
          return whole
      }
    },
  )
}

function portsOf(containers: unknown): string[] {
  return list(plain(containers)).flatMap((container) =>
    list(map(container).ports).flatMap((port) => (truthy(map(port).containerPort) ? [text(map(port).containerPort)] : [])),
  )
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'invalid'
  if (Array.isArray(value)) return 'slice'
  if (value instanceof GoStruct) return 'struct'
  if (isRecord(value)) return 'map'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

function trimAll(chars: string, value: string): string {
  let [from, to] = [0, value.length]
  while (from < to && chars.includes(value[from] ?? '')) from++
  while (to > from && chars.includes(value[to - 1] ?? '')) to--
  return value.slice(from, to)
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    throw new TemplateError(`a template reads "${value.slice(0, 80)}" as JSON, which it is not`)
  }
}

function stop(message: unknown): never {
  throw new TemplateError(text(message))
}
