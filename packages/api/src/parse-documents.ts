/**
 * Text of a file → objects with the positions of their parts.
 *
 * Takes YAML of several documents and JSON. Everything is bounded: size, number of documents, depth, expansion of anchors.
 */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml'
import type { ObjectRef } from '@lateen/base'
import { MESSAGES, type ArgumentsOf, type MessageName, wordsOf } from './diagnostics/catalogue.ts'
import { didYouMean, nearest } from './diagnostics/suggest.ts'
import { KINDS, kindOf, splitApiVersion } from './kinds/kinds.ts'
import type { KubeObject } from './object.ts'
import { RESOURCE_TYPES } from './resource-types.ts'
import { depthExceeds, isObject, nameOf } from './schema/read.ts'
import type { LocatedDiagnostic, Position } from './validate.ts'

export interface ParsedObject {
  readonly object: KubeObject
  /** Where a path (`spec.http[0].route`) stands in the file; the nearest enclosing part when the path itself is not there. */
  positionOf(path: string): Position | undefined
}

export interface ParsedFile {
  readonly objects: readonly ParsedObject[]
  readonly diagnostics: readonly LocatedDiagnostic[]
}

const LARGEST_MIB = 16
const MOST_DOCUMENTS = 20_000
const DEEPEST = 100
const MOST_ALIASES = 100

/** Reads all objects of a file; a document that cannot be read is left out and said, the others are returned. */
export function parseDocuments(text: string, file: string): ParsedFile {
  const said = new Sayings(file)
  if (text.length > LARGEST_MIB * 1024 * 1024) {
    said.add('TooLarge', undefined, { limit: LARGEST_MIB })
    return { objects: [], diagnostics: said.diagnostics }
  }
  checkBlanks(text, said)
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.1', merge: true, logLevel: 'silent' })
  const documents = Array.isArray(parsed) ? parsed : []
  if (documents.length > MOST_DOCUMENTS) said.add('TooManyDocuments', undefined, { limit: MOST_DOCUMENTS })
  const objects = documents.slice(0, MOST_DOCUMENTS).flatMap((document) => readDocument(document, lines, text, said))
  return { objects, diagnostics: said.diagnostics }
}

class Sayings {
  readonly diagnostics: LocatedDiagnostic[] = []
  readonly file: string
  readonly lines = new Set<number>()

  constructor(file: string) {
    this.file = file
  }

  add<K extends MessageName>(name: K, place: Place | undefined, ...values: ArgumentsOf<K>): void {
    const { code, severity, text } = MESSAGES[name]
    this.diagnostics.push({
      code,
      severity,
      object: place?.object ?? { kind: '', namespace: '', name: '' },
      path: place?.path ?? '',
      message: wordsOf(text, values[0]),
      file: this.file,
      ...(place?.position && { position: place.position }),
    })
  }
}

interface Place {
  readonly object?: ObjectRef
  readonly path?: string
  readonly position?: Position
}

const BLANKS: Readonly<Record<string, string>> = {
  '\u00a0': 'no-break space (U+00A0)',
  '\u2007': 'figure space (U+2007)',
  '\u202f': 'narrow no-break space (U+202F)',
  '\u3000': 'ideographic space (U+3000)',
  '\u2003': 'em space (U+2003)',
  '\u2002': 'en space (U+2002)',
  '\u200b': 'zero-width space (U+200B)',
}

/** Pasted text often holds blanks that only look like spaces; YAML's own message for them leads astray. */
function checkBlanks(text: string, said: Sayings): void {
  if (!/[\t\u00a0\u2002\u2003\u2007\u200b\u202f\u3000\u201c\u201d]/.test(text)) return
  for (const [i, line] of text.split('\n').entries()) {
    const indent = /^[ \t\u00a0\u2002\u2003\u2007\u200b\u202f\u3000]*/.exec(line)?.[0] ?? ''
    const rest = line.slice(indent.length)
    if (rest === '' || rest.startsWith('#')) continue
    const odd = [...indent].find((c) => c in BLANKS) ?? /^(?:- )*[\w.\-/]+[\u00a0\u202f\u200b]*:([\u00a0\u202f\u200b])/.exec(rest)?.[1]
    const position = { line: i + 1, column: 1 }
    if (odd !== undefined) {
      said.add('OddBlank', { position }, { blank: BLANKS[odd] ?? 'blank' })
      said.lines.add(i + 1)
    } else if (/^ *\t/.test(indent) && said.lines.size === 0 && !/^[{}[\]"]/.test(rest)) {
      said.add('TabIndent', { position })
      said.lines.add(i + 1)
    } else if (/^(?:- )*[\w.\-/]+:\s+[\u201c\u201d]/.test(rest)) said.add('SmartQuote', { position })
    if (said.lines.size >= 5) return
  }
}

function readDocument(document: Document.Parsed, lines: LineCounter, text: string, said: Sayings): ParsedObject[] {
  if (document.errors.length > 0) {
    sayErrors(document, lines, text, said)
    return []
  }
  const root = document.contents
  if (!isNode(root) || (isScalar(root) && root.value === null)) return []
  const position = positionAt(lines, root.range?.[0])
  const value = toValue(document, said, position)
  if (value === undefined) return []
  if (!isObject(value)) {
    said.add('NotAnObject', { ...(position && { position }) }, { found: nameOf(value) })
    return []
  }
  if (Object.keys(value).length === 0) return []
  if (typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items)) return readList(value.items, root, lines, said)
  const object = checkHeader(value, said, (path) => positionOf(root, path, lines))
  return object ? [{ object, positionOf: (path) => positionOf(root, path, lines) }] : []
}

/** `kubectl get -o yaml` gives lists. */
function readList(items: readonly unknown[], root: Node, lines: LineCounter, said: Sayings): ParsedObject[] {
  return items.flatMap((item, i) => {
    const positionIn = (path: string) => positionOf(root, `items[${i}]${path === '' ? '' : `.${path}`}`, lines)
    const object = isObject(item) ? checkHeader(item, said, positionIn) : undefined
    return object ? [{ object, positionOf: positionIn }] : []
  })
}

function toValue(document: Document.Parsed, said: Sayings, position: Position | undefined): unknown {
  const place = position ? { position } : {}
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES })
    if (!depthExceeds(value, DEEPEST)) return value
    said.add('TooDeep', place, { limit: DEEPEST })
  } catch (problem) {
    said.add('NotYaml', place, { problem: problem instanceof RangeError ? `nested deeper than ${DEEPEST} levels` : problem instanceof Error ? problem.message : 'it cannot be read' })
  }
  return undefined
}

/** One message for each line is enough: what follows a fault is seldom one of its own. */
function sayErrors(document: Document.Parsed, lines: LineCounter, text: string, said: Sayings): void {
  for (const error of document.errors.slice(0, 3)) {
    const position = positionAt(lines, error.pos[0])
    if ([...said.lines].some((line) => position === undefined || line <= position.line)) return
    const place = position ? { position } : {}
    if (error.code === 'DUPLICATE_KEY') said.add('DuplicateKey', place, { key: text.slice(error.pos[0], error.pos[1]).split(':')[0] ?? '' })
    else if (error.code === 'TAB_AS_INDENT') said.add('TabIndent', place)
    else {
      said.add('NotYaml', place, { problem: error.message.split('\n')[0] ?? error.code })
      return
    }
  }
}

const KNOWN_TYPES = Object.values(RESOURCE_TYPES)

/** The parts that every object has; answers the object when they are there. */
function checkHeader(value: Readonly<Record<string, unknown>>, said: Sayings, positionIn: (path: string) => Position | undefined): KubeObject | undefined {
  const { apiVersion, kind, metadata } = value
  const meta = isObject(metadata) ? metadata : {}
  const text = (field: unknown) => (typeof field === 'string' ? field : '')
  const object = { kind: text(kind), namespace: text(meta.namespace), name: text(meta.name) }
  const at = (path: string) => {
    const position = positionIn(path)
    return { object, path, ...(position && { position }) }
  }
  if (typeof kind !== 'string' || kind === '') {
    said.add('NoKind', at(''))
    return undefined
  }
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    const known = KINDS.find((candidate) => candidate.kind === kind)
    const type = known ? `${known.group}/${known.versions[0]?.name}` : undefined
    said.add('NoApiVersion', at(''), { hint: type ? `; write apiVersion: ${type}` : '' })
    return undefined
  }
  if (!checkKnown(apiVersion, kind, said, at)) return undefined
  if (object.name === '' && text(meta.generateName) === '') {
    said.add('NoName', at('metadata'))
    return undefined
  }
  return { ...value, apiVersion, kind, metadata: { ...meta, name: object.name } }
}

/** Groups of Istio whose kinds we know all; kinds of others are let through. */
function checkKnown(apiVersion: string, kind: string, said: Sayings, at: (path: string) => Place): boolean {
  const { group } = splitApiVersion(apiVersion)
  if (kindOf(group, kind)) return true
  const kinds = KINDS.filter((candidate) => candidate.group === group)
  if (kinds.length > 0) {
    const elsewhere = KINDS.find((candidate) => candidate.kind === kind)
    const near = nearest(kind, kinds.map((candidate) => candidate.kind))
    const other = nearest(kind, KINDS.map((candidate) => candidate.kind))
    const hint = elsewhere ? `; ${kind} is in ${elsewhere.group}` : near !== undefined ? `; did you mean "${near}"?` : other !== undefined ? `; did you mean "${other}"?` : ''
    said.add('UnknownKind', at('kind'), { kind, group, hint })
    return false
  }
  const groups = [...new Set(KINDS.map((candidate) => candidate.group))]
  const known = KNOWN_TYPES.some((type) => type.group === group)
  const istio = KINDS.find((candidate) => candidate.kind === kind)
  const looksLikeIstio = group.endsWith('.istio.io') || (istio !== undefined && !known)
  if (!looksLikeIstio || group === 'install.istio.io') return true
  said.add('UnknownGroup', at('apiVersion'), { group, hint: istio ? `; ${kind} is in ${istio.group}` : didYouMean(group, groups) })
  return false
}

function positionAt(lines: LineCounter, offset: number | undefined): Position | undefined {
  if (offset === undefined) return undefined
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** The place of a path within a document, as far as the path leads. */
function positionOf(root: Node, path: string, lines: LineCounter): Position | undefined {
  let node: unknown = root
  let offset = root.range?.[0]
  for (const part of splitPath(path)) {
    if (isAlias(node)) break
    let next: unknown
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => isScalar(item.key) && String(item.key.value) === part)
      if (!pair) break
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
      next = pair.value
    } else if (isSeq(node)) {
      next = node.items[Number(part)]
      if (isNode(next)) offset = next.range?.[0] ?? offset
    }
    if (next === undefined || next === null) break
    node = next
  }
  return positionAt(lines, offset)
}

/** `spec.http[0].headers["x-user"]` → its parts. */
function splitPath(path: string): string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, quoted, index, name]) => (quoted !== undefined ? unquote(quoted) : (index ?? name ?? '')))
}

function unquote(text: string): string {
  const value: unknown = JSON.parse(`"${text}"`)
  return String(value)
}
