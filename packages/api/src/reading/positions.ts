/** Paths of an object → places in the file. */
import { isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml'
import type { Position } from '../validate.ts'

export function positionAt(lines: LineCounter, offset: number | undefined): Position | undefined {
  if (offset === undefined) return undefined
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** The place of a path (`spec.http[0].route`) in a document, or of the nearest enclosing part that is there. */
export function positionOf(root: Node, path: string, lines: LineCounter): Position | undefined {
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
export function splitPath(path: string): string[] {
  const parts = path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)
  return [...parts].map(([, quoted, index, name]) => (quoted === undefined ? (index ?? name ?? '') : unquoted(quoted)))
}

function unquoted(text: string): string {
  const value: unknown = JSON.parse(`"${text}"`)
  return String(value)
}
