/**
 * The bytes of a config dump → where each part of it stands, without parsing what is not asked for. Made for dumps that are too large to
 * be parsed at once and for dumps that end too early: every entry that is whole is found.
 */
import { type Fields, fields } from './fields.ts'

/** A part of a dump, read when it is asked for. */
export interface Section {
  /** `type.googleapis.com/envoy.admin.v3.ClustersConfigDump`. */
  readonly type: string
  /** Entries that are no JSON are left out. */
  read(): Fields
}

export interface Sections {
  readonly sections: readonly Section[]
  /** What is wrong with the dump, when something is. */
  readonly damage?: string
}

type Range = readonly [start: number, end: number]

interface Member {
  readonly name: string
  /** The value, or the items of a list. */
  readonly value: Range | readonly Range[]
}

/** Positions are bytes from the start. */
class Fault extends Error {}

export function sectionsOf(bytes: Buffer): Sections {
  const sections: Section[] = []
  try {
    readDocument(bytes, (members) => sections.push(sectionOf(bytes, members)))
    return { sections }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { sections, damage: error.message }
  }
}

/** One object with lists in it: of lists that end too early, the items that are whole. */
export function objectIn(bytes: Buffer): { readonly value: Fields; readonly damage?: string } {
  let value: Fields = {}
  try {
    readConfig(bytes, skipBlanks(bytes, 0), (members) => {
      value = readMembers(bytes, members)
    })
    return { value }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { value, damage: error.message }
  }
}

function sectionOf(bytes: Buffer, members: readonly Member[]): Section {
  const { '@type': type } = readMembers(
    bytes,
    members.filter(({ name }) => name === '@type'),
  )
  return { type: typeof type === 'string' ? type : '', read: () => readMembers(bytes, members) }
}

function readMembers(bytes: Buffer, members: readonly Member[]): Fields {
  const entries = members.flatMap(({ name, value }) => {
    if (!isList(value)) return parsed(bytes, value).map((each) => [name, each] as const)
    return [[name, value.flatMap((range) => parsed(bytes, range))] as const]
  })
  return fields(Object.fromEntries(entries))
}

const isList = (value: Member['value']): value is readonly Range[] => value.length === 0 || typeof value[0] !== 'number'

/** None when it is no JSON. */
function parsed(bytes: Buffer, [start, end]: Range): unknown[] {
  try {
    return [JSON.parse(bytes.toString('utf8', start, end))]
  } catch {
    return []
  }
}

/** `{"configs": [{...}, ...]}`; what else is in it is stepped over. @throws Fault where it ends early or is no JSON */
function readDocument(bytes: Buffer, found: (config: readonly Member[]) => void): void {
  readObject(bytes, skipBlanks(bytes, 0), (name, at) => {
    if (name !== 'configs' || bytes[at] !== BRACKET_OPEN) return skipValue(bytes, at)
    return readList(bytes, at, (start) => readConfig(bytes, start, found))
  })
}

/** What of it is whole is told even when the rest is missing. */
function readConfig(bytes: Buffer, at: number, found: (config: readonly Member[]) => void): number {
  const members: Member[] = []
  try {
    return readObject(bytes, at, (name, start) => {
      if (bytes[start] !== BRACKET_OPEN) {
        const end = skipValue(bytes, start)
        members.push({ name, value: [start, end] })
        return end
      }
      const items: Range[] = []
      members.push({ name, value: items })
      return readList(bytes, start, (from) => {
        const end = skipValue(bytes, from)
        items.push([from, end])
        return end
      })
    })
  } finally {
    found(members)
  }
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [BRACE_OPEN, BRACE_CLOSE, BRACKET_OPEN, BRACKET_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d]

/** Answers the position after it. `member` is given each name and the start of its value, and answers its end. */
function readObject(bytes: Buffer, at: number, member: (name: string, start: number) => number): number {
  return readItems(bytes, at, [BRACE_OPEN, BRACE_CLOSE], (start) => {
    expect(bytes, start, QUOTE)
    const end = skipString(bytes, start)
    const [name] = parsed(bytes, [start, end])
    const colon = skipBlanks(bytes, end)
    expect(bytes, colon, COLON)
    return member(String(name), skipBlanks(bytes, colon + 1))
  })
}

function readList(bytes: Buffer, at: number, item: (start: number) => number): number {
  return readItems(bytes, at, [BRACKET_OPEN, BRACKET_CLOSE], item)
}

function readItems(bytes: Buffer, at: number, [open, close]: readonly [number, number], item: (start: number) => number): number {
  expect(bytes, at, open)
  let position = skipBlanks(bytes, at + 1)
  while (bytes[position] !== close) {
    position = skipBlanks(bytes, item(position))
    if (bytes[position] === COMMA) position = skipBlanks(bytes, position + 1)
    else expect(bytes, position, close)
  }
  return position + 1
}

function expect(bytes: Buffer, at: number, wanted: number): void {
  if (bytes[at] === wanted) return
  if (at >= bytes.length) throw new Fault(`it ends after ${bytes.length} bytes, in the middle`)
  throw new Fault(
    `it is no JSON at byte ${at}: ${JSON.stringify(bytes.toString('utf8', at, at + 20))} stands where a ${String.fromCharCode(wanted)} belongs`,
  )
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

/** `at` is a quote. */
function skipString(bytes: Buffer, at: number): number {
  for (let end = at + 1; end < bytes.length; end++) {
    const byte = bytes[end]
    if (byte === BACKSLASH) end++
    else if (byte === QUOTE) return end + 1
  }
  return expectEnd(bytes)
}

function expectEnd(bytes: Buffer): never {
  throw new Fault(`it ends after ${bytes.length} bytes, in the middle`)
}

/** Brackets are counted, not matched by kind: whether the value is JSON is seen when it is read. */
function skipValue(bytes: Buffer, at: number): number {
  if (bytes[at] === QUOTE) return skipString(bytes, at)
  let depth = 0
  for (let end = at; end < bytes.length; end++) {
    const byte = bytes[end]
    if (byte === QUOTE) end = skipString(bytes, end) - 1
    else if (byte === BRACE_OPEN || byte === BRACKET_OPEN) depth++
    else if (byte === BRACE_CLOSE || byte === BRACKET_CLOSE) {
      // The bracket of what is around it ends a number or a word.
      if (depth === 0) return end
      if (--depth === 0) return end + 1
    } else if (byte === COMMA && depth === 0) return end
  }
  return expectEnd(bytes)
}
