/** Kubernetes objects from YAML or JSON text, each with the line where it begins. */
import type { KubeObject } from '@lateen/api'
import { isMap, isScalar, LineCounter, type Node, parseAllDocuments } from 'yaml'

export interface LocatedObject {
  readonly object: KubeObject
  readonly line: number
}

/** Something in a file that cannot be used; `file:line: message` names it. */
export interface FileProblem {
  readonly file: string
  /** From 1; 0 for the file as a whole. */
  readonly line: number
  readonly message: string
}

export const formatProblem = (problem: FileProblem): string =>
  `${problem.file}${problem.line ? `:${problem.line}` : ''}: ${problem.message}`

const MAX_PROBLEMS = 20

/** Reads all documents of a text; a `List` gives its items. Empty documents are passed over. */
export function readObjects(text: string, file: string): { objects: LocatedObject[]; problems: FileProblem[] } {
  const lines = new LineCounter()
  const objects: LocatedObject[] = []
  const problems: FileProblem[] = []
  const report = (offset: number, message: string) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ file, line: lines.linePos(offset).line, message })
  }
  for (const document of parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })) {
    if (!('contents' in document)) continue
    for (const error of document.errors) report(error.pos[0], wordYamlError(error.message))
    if (document.errors.length > 0 || document.contents === null) continue
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (value === null || value === undefined) continue
    const line = lines.linePos(startOf(document.contents)).line
    for (const item of isList(value) ? value.items : [value]) {
      const missing = missingField(item)
      if (missing) report(startOf(document.contents), missing)
      else if (isObject(item)) objects.push({ object: item, line })
    }
  }
  return { objects, problems }
}

function startOf(node: Node): number {
  const first = isMap(node) ? node.items[0]?.key : node
  return (isScalar(first) ? first.range?.[0] : undefined) ?? node.range?.[0] ?? 0
}

const wordYamlError = (message: string): string => (/tab/i.test(message) ? `${message} (YAML is indented by spaces, not tabs)` : message)

function isList(value: unknown): value is { items: unknown[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    String(value.kind).endsWith('List') &&
    'items' in value &&
    Array.isArray(value.items)
  )
}

function isObject(value: unknown): value is KubeObject {
  return missingField(value) === undefined
}

function missingField(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'expected an object with apiVersion, kind and metadata'
  for (const field of ['apiVersion', 'kind'] as const) {
    const found: unknown = Object.entries(value).find(([name]) => name === field)?.[1]
    if (typeof found !== 'string' || found === '') return `the object has no ${field}`
  }
  const metadata: unknown = 'metadata' in value ? value.metadata : undefined
  if (typeof metadata !== 'object' || metadata === null) return 'the object has no metadata'
  if (!('name' in metadata) || typeof metadata.name !== 'string' || metadata.name === '') return 'the object has no metadata.name'
  return undefined
}
