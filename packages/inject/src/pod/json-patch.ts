/** The difference of two JSON values as an RFC 6902 patch. */
import { isRecord } from './pod.ts'

export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: string
  readonly value?: unknown
}

/** Operations that turn `before` into `after`; none when they are equal. */
export function jsonPatch(before: unknown, after: unknown): PatchOperation[] {
  return difference('', before, after)
}

/** Structural equality of JSON values; a field that is `undefined` counts as absent. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  return jsonPatch(a, b).length === 0
}

function difference(path: string, before: unknown, after: unknown): PatchOperation[] {
  if (isRecord(before) && isRecord(after)) return mapDifference(path, before, after)
  if (Array.isArray(before) && Array.isArray(after)) return listDifference(path, before, after)
  return Object.is(before, after) ? [] : [{ op: 'replace', path, value: after }]
}

function mapDifference(path: string, before: Record<string, unknown>, after: Record<string, unknown>): PatchOperation[] {
  const has = (map: Record<string, unknown>, key: string) => Object.hasOwn(map, key) && map[key] !== undefined
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return keys.flatMap((key): PatchOperation[] => {
    const at = `${path}/${pointer(key)}`
    if (!has(after, key)) return has(before, key) ? [{ op: 'remove', path: at }] : []
    return has(before, key) ? difference(at, before[key], after[key]) : [{ op: 'add', path: at, value: after[key] }]
  })
}

function listDifference(path: string, before: readonly unknown[], after: readonly unknown[]): PatchOperation[] {
  const shared = Math.min(before.length, after.length)
  const operations = after.slice(0, shared).flatMap((item, index) => difference(`${path}/${index}`, before[index], item))
  const added = after.slice(shared).map((value): PatchOperation => ({ op: 'add', path: `${path}/-`, value }))
  // From the end, so that the indexes of those still to go stay right.
  const removed = before.slice(shared).map((_, index): PatchOperation => ({ op: 'remove', path: `${path}/${shared + index}` }))
  return [...operations, ...added, ...removed.reverse()]
}

function pointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
