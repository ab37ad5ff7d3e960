/**
 * Text of a file → objects with the positions of their parts.
 *
 * Takes YAML of several documents and JSON. Everything is bounded: size, number of documents, depth, expansion of anchors.
 */
import { type Document, isNode, isScalar, LineCounter, type Node, parseAllDocuments } from 'yaml'
import type { KubeObject } from '../object.ts'
import { depthExceeds, isObject, nameOf } from '../schema/read.ts'
import type { LocatedDiagnostic, Position } from '../validate.ts'
import { type ImpliedVersions, readHeader } from './header.ts'
import { findOddLines, type OddLines } from './odd-lines.ts'
import { positionAt, positionOf } from './positions.ts'
import { Sayings } from './sayings.ts'
import { YAML_OPTIONS } from './yaml-schema.ts'

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

interface Reading {
  readonly text: string
  readonly lines: LineCounter
  readonly odd: OddLines
  readonly said: Sayings
  readonly implied: ImpliedVersions
}

/**
 * Reads all objects of a file; a document that cannot be read is left out and said, the others are returned. A kind of `implied` may
 * leave its apiVersion out.
 */
export function parseDocuments(text: string, file: string, implied: ImpliedVersions = new Map()): ParsedFile {
  const said = new Sayings(file)
  if (text.length > LARGEST_MIB * 1024 * 1024) {
    said.add('TooLarge', {}, { limit: LARGEST_MIB })
    return { objects: [], diagnostics: said.diagnostics }
  }
  const reading: Reading = { text, lines: new LineCounter(), odd: findOddLines(text, said), said, implied }
  const documents = parse(text, reading)
  if (documents.length > MOST_DOCUMENTS) said.add('TooManyDocuments', {}, { limit: MOST_DOCUMENTS })
  const objects = documents.slice(0, MOST_DOCUMENTS).flatMap((document) => readDocument(document, reading))
  return { objects, diagnostics: said.diagnostics }
}

function parse(text: string, { lines, said }: Reading): Document.Parsed[] {
  try {
    const parsed = parseAllDocuments(text, { ...YAML_OPTIONS, lineCounter: lines, prettyErrors: false })
    return Array.isArray(parsed) ? parsed : []
  } catch (problem) {
    if (!(problem instanceof RangeError)) throw problem
    said.add('TooDeep', {}, { limit: DEEPEST })
    return []
  }
}

function readDocument(document: Document.Parsed, reading: Reading): ParsedObject[] {
  const { lines, said, implied } = reading
  if (isSpoilt(document, reading)) return []
  if (document.errors.length > 0) {
    sayErrors(document, reading)
    return []
  }
  const root = document.contents
  if (!isNode(root) || (isScalar(root) && root.value === null)) return []
  const position = positionAt(lines, root.range?.[0])
  const place = position ? { position } : {}
  const value = toValue(document, said, position)
  if (value === undefined) return []
  if (!isObject(value)) {
    said.add('NotAnObject', place, { found: nameOf(value) })
    return []
  }
  if (Object.keys(value).length === 0) return []
  if (typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items))
    return readList(value.items, root, reading)
  const positionIn = (path: string) => positionOf(root, path, lines)
  const object = readHeader(value, said, positionIn, implied)
  return object ? [{ object, positionOf: positionIn }] : []
}

/** Odd blanks were said already and what they make of the document is not what was meant; tabs and commands count when they hurt. */
function isSpoilt(document: Document.Parsed, { lines, odd, said }: Reading): boolean {
  const [start, , end] = document.range
  const first = lines.linePos(start).line
  const last = lines.linePos(Math.max(start, end)).line
  const within = [...odd].filter(([line]) => line >= first && line <= last)
  if (within.some(([, fault]) => fault === 'blank')) return true
  if (document.errors.length === 0) return false
  const [line, fault] = within[0] ?? []
  if (line === undefined || line > (positionAt(lines, document.errors[0]?.pos[0])?.line ?? last) + 1) return false
  said.add(fault === 'tab' ? 'TabIndent' : 'ShellCommand', { position: { line, column: 1 } })
  return true
}

/** `kubectl get -o yaml` gives lists. */
function readList(items: readonly unknown[], root: Node, { lines, said, implied }: Reading): ParsedObject[] {
  return items.flatMap((item, i) => {
    const positionIn = (path: string) => positionOf(root, `items[${i}]${path === '' ? '' : `.${path}`}`, lines)
    const object = isObject(item) ? readHeader(item, said, positionIn, implied) : undefined
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
    if (problem instanceof RangeError) said.add('TooDeep', place, { limit: DEEPEST })
    else said.add('NotYaml', place, { problem: problem instanceof Error ? problem.message : 'it cannot be read' })
  }
  return undefined
}

/** The first fault is enough: what follows it is seldom one of its own. */
function sayErrors(document: Document.Parsed, { lines, text, said }: Reading): void {
  for (const error of document.errors.slice(0, 20)) {
    const position = positionAt(lines, error.pos[0])
    const place = position ? { position } : {}
    if (error.code === 'DUPLICATE_KEY')
      said.add('DuplicateKey', place, { key: /^[^:\n]*/.exec(text.slice(error.pos[0], error.pos[0] + 200))?.[0].trim() ?? '' })
    else {
      if (error.code === 'TAB_AS_INDENT') said.add('TabIndent', place)
      else said.add('NotYaml', place, { problem: error.message.split('\n')[0] ?? error.code })
      return
    }
  }
}
