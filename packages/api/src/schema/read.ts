/**
 * A value as a user wrote it → the typed form that the rest of the product reads, with what is wrong with its shape.
 *
 * Follows Protobuf's JSON mapping as Istio reads it: field names in lowerCamelCase or snake_case, numbers also as text, enum
 * values also by number, `null` as "not set" (in a list or a map: as the empty value), durations as Go's duration texts; of fields
 * that exclude each other the last of the definition counts. Nothing is filled in.
 */
import { parseDuration } from '@lateen/base'
import type { At } from '../diagnostics/at.ts'
import { didYouMean } from '../diagnostics/suggest.ts'
import type { Fields, Message, Static } from './define.ts'
import { placeOfField } from './find-field.ts'
import type { EnumNode, FieldNode, FreeNode, ListNode, MapNode, MessageNode, Node, NumberNode, TextNode } from './node.ts'

/** Deepest nesting of free-form values. */
const DEEPEST = 64

/** The typed form of a value; what cannot be read is left out and said at `at`. */
export function read(node: Node, value: unknown, at: At): unknown {
  switch (node.kind) {
    case 'text':
      return readText(node, value, at)
    case 'flag':
      if (typeof value === 'boolean') return value
      return wrong(
        at,
        value,
        'true or false',
        typeof value === 'string' && /^(true|false|yes|no|on|off)$/i.test(value) ? ' without quotes' : '',
      )
    case 'number':
      return readNumber(node, value, at)
    case 'enum':
      return readEnum(node, value, at)
    case 'list':
      return readList(node, value, at)
    case 'map':
      return readMap(node, value, at)
    case 'message':
      return isObject(value) ? readMessage(node, value, at) : wrong(at, value, 'an object', '')
    case 'free':
      return readFree(node, value, at)
    case 'int-or-text':
      return value
  }
}

/** The typed form of an object, as the definition's TypeScript type has it. */
export function readAs<F extends Fields>(definition: Message<F>, value: Readonly<Record<string, unknown>>, at: At): Static<Message<F>> {
  // `readMessage` makes what the definition says, and the type is inferred from the same definition.
  return readMessage(definition.node, value, at) as Static<Message<F>>
}

/** The typed form of an object with known fields. */
export function readMessage(node: MessageNode, value: Readonly<Record<string, unknown>>, at: At): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  const set = new Set<string>()
  for (const [key, given] of Object.entries(value)) {
    const found = fieldOf(node, key)
    if (!found) {
      at.in(key).say('UnknownField', { hint: unknownHint(node, key, at) })
      continue
    }
    const [name, field] = found
    // `null` means "not set" to Protobuf.
    if (given === null || given === undefined) continue
    if (key !== name && !field.aliases.includes(key)) at.in(key).say('SnakeCase', { name })
    const typed = read(field.node, given, at.in(key))
    // Of both spellings of a name, the one in lowerCamelCase counts.
    if (set.has(name) && key !== name) continue
    set.add(name)
    if (typed !== undefined) result[name] = typed
  }
  for (const group of node.oneOfs) {
    const present = group.filter((name) => set.has(name))
    if (present.length < 2) continue
    at.say('ExclusiveFields', { fields: present.join(', '), last: present.at(-1) ?? '' })
    for (const name of present.slice(0, -1)) delete result[name]
  }
  for (const [name, field] of Object.entries(node.fields)) {
    if (field.required && !set.has(name)) at.in(name).say('ServerRefuses', { reason: 'it must be set' })
  }
  return result
}

/** Takes the empty lists out of what {@link readMessage} made, at any depth but in free-form values. */
export function dropEmptyLists(node: Node, value: unknown): void {
  if (Array.isArray(value)) {
    if (node.kind === 'list') for (const item of value) dropEmptyLists(node.items, item)
  } else if (isObject(value) && (node.kind === 'message' || node.kind === 'map')) {
    for (const [name, child] of Object.entries(value)) {
      const inner = node.kind === 'map' ? node.values : node.fields[name]?.node
      if (!inner) continue
      if (inner.kind === 'list' && Array.isArray(child) && child.length === 0) Reflect.deleteProperty(value, name)
      else dropEmptyLists(inner, child)
    }
  }
}

/** A similar name, the place where the name would be right, or the names that are known. */
function unknownHint(node: MessageNode, key: string, at: At): string {
  const names = Object.keys(node.fields)
  const similar = didYouMean(key, names)
  if (similar !== '') return similar
  const { root } = at.report
  const place = root && root !== node ? placeOfField(root, key) : undefined
  if (place !== undefined) return `; it belongs to ${['spec', place].filter(Boolean).join('.')}`
  return names.length > 0 && names.length <= 20 ? `; known here: ${names.sort().join(', ')}` : ''
}

const snakeNames = new WeakMap<MessageNode, Map<string, string>>()

/** The field that a key names, also in snake_case. */
function fieldOf(node: MessageNode, key: string): [string, FieldNode] | undefined {
  const direct = Object.hasOwn(node.fields, key) ? node.fields[key] : undefined
  if (direct) return [key, direct]
  let names = snakeNames.get(node)
  if (!names) {
    names = new Map(
      Object.entries(node.fields).flatMap(([name, { aliases }]) => [snake(name), ...aliases].map((other) => [other, name] as const)),
    )
    snakeNames.set(node, names)
  }
  const name = names.get(key)
  const field = name === undefined ? undefined : node.fields[name]
  return name !== undefined && field ? [name, field] : undefined
}

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function readText(node: TextNode, value: unknown, at: At): unknown {
  if (typeof value !== 'string')
    return wrong(at, value, 'a text', typeof value === 'number' || typeof value === 'boolean' ? '; put the value in quotes' : '')
  if (node.format === 'duration' && parseDuration(value) === undefined) {
    at.say('NotADuration', { value })
    return undefined
  }
  if (node.format === 'byte' && !BASE64.test(value.replaceAll(/[\r\n]/g, ''))) at.say('NotBase64')
  checkLimits(value.length, node.minLength, node.maxLength, at, 'characters')
  if (node.pattern !== undefined && !new RegExp(node.pattern).test(value))
    at.say('ServerRefuses', { reason: `"${value}" does not fit the pattern ${node.pattern}` })
  return value
}

/** With padding, as Go's decoder asks. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** A number in a text is written as in JSON: no sign `+`, no leading zeros, no other bases. */
const NUMBER = /^\s*-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?\s*$/
const WHOLE_NUMBER = /^\s*-?(?:0|[1-9]\d*)\s*$/
const SPECIAL = ['NaN', 'Infinity', '-Infinity']

function readNumber(node: NumberNode, value: unknown, at: At): unknown {
  const isDouble = node.number === 'double'
  const written = typeof value === 'string' && ((isDouble && SPECIAL.includes(value)) || (isDouble ? NUMBER : WHOLE_NUMBER).test(value))
  const number = written ? Number(value) : value
  if (typeof number !== 'number') return wrong(at, value, 'a number', '')
  if (node.number === 'double') {
    checkRange(number, node.minimum, node.maximum, at)
    return number
  }
  const [least, most] = RANGES[node.number]
  if (!Number.isInteger(number) || number < least || number > most) {
    at.say('OutOfNumberRange', { value: number, least, most })
    return undefined
  }
  checkRange(number, node.minimum, node.maximum, at)
  return number
}

const RANGES = {
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
  uint64: [0, Number.MAX_SAFE_INTEGER],
} as const

function readEnum(node: EnumNode, value: unknown, at: At): unknown {
  if (typeof value === 'number') {
    const name = node.numbers ? node.values[node.numbers.indexOf(value)] : node.values[value]
    if (name !== undefined) return name
  } else if (typeof value === 'string') {
    if (node.values.includes(value)) return value
  } else {
    return wrong(at, value, `one of ${node.values.join(', ')}`, '')
  }
  at.say('UnknownEnumValue', { value, allowed: node.values.join(', '), hint: didYouMean(String(value), node.values) })
  return undefined
}

function readList(node: ListNode, value: unknown, at: At): unknown {
  if (!Array.isArray(value))
    return wrong(at, value, 'a list', isObject(value) || typeof value === 'string' ? '; begin the entry with "- "' : '')
  checkLimits(value.length, node.minItems, node.maxItems, at, 'entries')
  const result: unknown[] = []
  at.each(value, (item, place) => {
    const typed = item === null || item === undefined ? emptyOf(node.items, place) : read(node.items, item, place)
    if (typed !== undefined) result.push(typed)
  })
  return result
}

function readMap(node: MapNode, value: unknown, at: At): unknown {
  if (!isObject(value)) return wrong(at, value, 'an object with names and values', '')
  checkLimits(Object.keys(value).length, node.minProperties, node.maxProperties, at, 'entries')
  const result: Record<string, unknown> = {}
  at.entries(value, (item, place, key) => {
    if (node.numericKeys && !/^(?:0|[1-9]\d{0,9})$/.test(key)) return place.say('BadMapKey', { key })
    // An absent value means an empty one: `headers: {x-user: }` asks only that the header is there.
    const typed = item === null || item === undefined ? emptyOf(node.values, place) : read(node.values, item, place)
    if (typed !== undefined) define(result, key, typed)
  })
  return result
}

/** What `null` means where a value has to be. Of messages, a Kubernetes API server takes it in a map. */
function emptyOf(node: Node, at: At): unknown {
  at.say('ServerRefuses', { reason: 'the entry is empty (null); fill it in or remove it' })
  switch (node.kind) {
    case 'message':
    case 'map':
    case 'free':
      return {}
    case 'list':
      return []
    case 'text':
      return node.format === 'duration' ? '0s' : ''
    case 'enum':
      return node.numbers ? node.values[node.numbers.indexOf(0)] : node.values[0]
    case 'flag':
      return false
    case 'number':
    case 'int-or-text':
      return 0
  }
}

function readFree(_node: FreeNode, value: unknown, at: At): unknown {
  if (!isObject(value)) return wrong(at, value, 'an object', '')
  if (depthExceeds(value, DEEPEST)) {
    at.say('TooDeep', { limit: DEEPEST })
    return undefined
  }
  return value
}

function checkLimits(length: number, least: number | undefined, most: number | undefined, at: At, unit: string): void {
  if (least !== undefined && length < least) at.say('ServerRefuses', { reason: `at least ${least} ${unit} needed, found ${length}` })
  if (most !== undefined && length > most) at.say('ServerRefuses', { reason: `at most ${most} ${unit} allowed, found ${length}` })
}

function checkRange(number: number, least: number | undefined, most: number | undefined, at: At): void {
  if ((least !== undefined && number < least) || (most !== undefined && number > most)) {
    at.say('ServerRefuses', { reason: `${number} is not within ${least ?? '-∞'} to ${most ?? '∞'}` })
  }
}

function wrong(at: At, value: unknown, wanted: string, hint: string): undefined {
  at.say('WrongType', { found: nameOf(value), wanted, hint })
  return undefined
}

/** How a value is called in a message: `the number 5`, `the text "x"`, `a list`. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return `the text "${value}"`
  return `${typeof value === 'number' ? 'the number ' : ''}${String(value)}`
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Sets a property even if it is called `__proto__`. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** Whether a value is nested deeper than `limit`; looks no further. */
export function depthExceeds(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (limit <= 0) return true
  for (const child of Object.values(value)) if (depthExceeds(child, limit - 1)) return true
  return false
}
