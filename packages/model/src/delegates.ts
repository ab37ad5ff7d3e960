/** Delegates of VirtualServices: a delegate's routes under the conditions and settings of the route that names it. */
import type { HTTPRoute } from '@lateen/api'

type Match = NonNullable<HTTPRoute['match']>[number]
type Text = { readonly exact?: string; readonly prefix?: string; readonly regex?: string }

/** What a delegate's route takes from its root where it says nothing itself. */
const INHERITED = [
  'rewrite',
  'timeout',
  'retries',
  'fault',
  'mirror',
  'mirrors',
  'mirrorPercent',
  'mirrorPercentage',
  'corsPolicy',
  'headers',
] as const satisfies readonly (keyof HTTPRoute)[]

/**
 * A delegate's route under its root's. Each of the delegate's matches must lie within one of the root's; a route with one that
 * does not is left out, as in Istio. Names are joined by `-`; of all else the delegate's own word counts more.
 */
export function mergeDelegate(root: HTTPRoute, inner: HTTPRoute): HTTPRoute | undefined {
  // A delegate's delegate is not followed.
  if (inner.delegate) return undefined
  const match = mergeMatches(root.match, inner.match)
  if (match === undefined) return undefined
  const inherited = Object.fromEntries(
    INHERITED.filter((field) => inner[field] === undefined && root[field] !== undefined).map((field) => [field, root[field]]),
  )
  const name = joined(root.name, inner.name)
  return { ...inner, ...inherited, ...(match.length > 0 && { match }), ...(name && { name }) } as HTTPRoute
}

const joined = (root: string | undefined, inner: string | undefined): string => [root, inner].filter((part) => part).join('-')

/** Every pair of a root's match and one of the delegate's within it; undefined when one of the delegate's is within none. */
function mergeMatches(root: readonly Match[] | undefined, inner: readonly Match[] | undefined): Match[] | undefined {
  if (!root?.length) return [...(inner ?? [])]
  if (!inner?.length) return [...root]
  const merged: Match[] = []
  for (const own of inner) {
    const within = root.filter((outer) => !conflicts(outer, own)).map((outer) => mergeMatch(outer, own))
    if (within.length === 0) return undefined
    merged.push(...within)
  }
  return merged
}

function mergeMatch(root: Match, inner: Match): Match {
  const maps = (field: 'headers' | 'withoutHeaders' | 'queryParams' | 'sourceLabels') =>
    root[field] || inner[field] ? { [field]: { ...root[field], ...inner[field] } } : {}
  const name = joined(root.name, inner.name)
  const given = Object.fromEntries(Object.entries(inner).filter(([, value]) => value !== undefined))
  return {
    ...root,
    ...given,
    ...((inner.port ?? 0) === 0 && root.port !== undefined && { port: root.port }),
    ...maps('headers'),
    ...maps('withoutHeaders'),
    ...maps('queryParams'),
    ...maps('sourceLabels'),
    ...(name && { name }),
  } as Match
}

/** Whether a delegate's match asks for something that its root's does not allow. */
function conflicts(root: Match, inner: Match): boolean {
  const texts = (['uri', 'scheme', 'method', 'authority'] as const).some((field) => textsConflict(root[field], inner[field]))
  const maps = (['headers', 'withoutHeaders', 'queryParams'] as const).some((field) =>
    Object.entries(inner[field] ?? {}).some(([name, text]) => textsConflict(root[field]?.[name], text)),
  )
  const ports = Boolean(root.port && inner.port && root.port !== inner.port)
  return texts || maps || ports || (root.ignoreUriCase ?? false) !== (inner.ignoreUriCase ?? false)
}

/** Whether a text condition is not within another one. Of expressions nobody can tell: they never are. */
function textsConflict(root: Text | undefined, inner: Text | undefined): boolean {
  if (!root || !inner) return false
  if (root.regex || inner.regex) return true
  if (root.exact) return inner.exact !== root.exact
  const value = inner.prefix || inner.exact
  if (root.prefix && value) return !value.startsWith(root.prefix)
  return true
}
