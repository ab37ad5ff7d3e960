/** What resources there are for the connected proxies, and the bytes that they take: what is shared counts once. */
import type { DebugContext } from './debug-context.ts'

/** Names of resources by type; with `?sizes=true`, bytes by type. */
export function cachez(context: DebugContext, query: URLSearchParams): unknown {
  const byType = resources(context)
  if (!query.get('sizes'))
    return Object.fromEntries([...byType].map(([type, found]) => [type, [...found.keys()].map(({ name }) => name).sort()]))
  const sizes = [...byType].map(([type, found]) => [type, sumOf(found.values())] as const)
  return {
    ...Object.fromEntries(sizes.map(([type, bytes]) => [type, sizeText(bytes)])),
    total: sizeText(sumOf(sizes.map(([, bytes]) => bytes))),
  }
}

type Counted = Map<{ readonly name: string }, number>

/** The same resource is the same object in all sets that hold it. */
function resources({ connections, find }: DebugContext): Map<string, Counted> {
  const byType = new Map<string, Counted>()
  const seen = new Set<object>()
  for (const { node, types } of connections()) {
    const session = find(node.id)
    for (const { typeUrl } of session ? types : []) {
      const found = byType.get(typeUrl) ?? new Map()
      byType.set(typeUrl, found)
      for (const part of session?.resources(typeUrl).parts ?? []) {
        if (seen.has(part)) continue
        seen.add(part)
        for (const resource of part.values()) found.set(resource, resource.bytes.length)
      }
    }
  }
  return byType
}

const sumOf = (numbers: Iterable<number>): number => [...numbers].reduce((sum, each) => sum + each, 0)

const UNITS = ['B', 'kB', 'MB', 'GB']

function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0)
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`
}
