/**
 * Kubernetes' strategic merge for pods: maps merge by key, lists of named things merge by their name, other lists are
 * replaced. `null` removes a field; `$patch: delete` removes a list element, `$patch: replace` a map's other fields.
 */
import { isRecord, type Pod } from './pod.ts'

/** Lists whose elements merge, by the field that names them. Every other list is replaced as a whole. */
type MergeKeys = Readonly<Record<string, string>>

const POD_KEYS: MergeKeys = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
  imagePullSecrets: 'name',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
  resourceClaims: 'name',
  claims: 'name',
  ownerReferences: 'uid',
}

/** Deeper than any pod; a template that nests further is cut off with an error rather than exhausting the stack. */
const MAX_DEPTH = 64

/** `base` with `overlay` merged over it; neither is changed. */
export function mergePod(base: Pod, overlay: unknown): Pod {
  if (!isRecord(overlay)) return base
  // Merging a pod with a partial pod keeps the fields that made it a pod; the overlay's own lists are checked by readPod.
  return mergeMap(base, overlay, POD_KEYS, 0) as unknown as Pod
}

/** A workload or Service with `overlay` merged over it; lists merge as in pods, but for what `keys` says. */
export function mergeObject(
  base: Readonly<Record<string, unknown>>,
  overlay: Readonly<Record<string, unknown>>,
  keys: MergeKeys = {},
): Record<string, unknown> {
  return mergeMap(base, overlay, { ...POD_KEYS, ...keys }, 0)
}

function mergeMap(
  base: Readonly<Record<string, unknown>>,
  overlay: Readonly<Record<string, unknown>>,
  keys: MergeKeys,
  depth: number,
): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new RangeError(`the pod template nests deeper than ${MAX_DEPTH} levels`)
  const result: Record<string, unknown> = overlay.$patch === 'replace' ? {} : { ...base }
  for (const [key, value] of Object.entries(overlay)) {
    if (key === '$patch') continue
    if (value === null || value === undefined) delete result[key]
    else result[key] = mergeValue(keys, key, result[key], value, depth + 1)
  }
  return result
}

function mergeValue(keys: MergeKeys, key: string, base: unknown, overlay: unknown, depth: number): unknown {
  if (isRecord(overlay)) return mergeMap(isRecord(base) ? base : {}, overlay, keys, depth)
  if (!Array.isArray(overlay)) return overlay
  const mergeKey = Object.hasOwn(keys, key) ? keys[key] : undefined
  if (mergeKey === undefined) return overlay.map((item) => withoutNulls(item, keys, depth))
  return mergeList(keys, Array.isArray(base) ? base : [], overlay, mergeKey, depth)
}

function mergeList(keys: MergeKeys, base: readonly unknown[], overlay: readonly unknown[], mergeKey: string, depth: number): unknown[] {
  const items = overlay.filter(isRecord)
  const dropped = new Set(items.filter((item) => item.$patch === 'delete').map((item) => item[mergeKey]))
  const kept = base.filter((item) => !isRecord(item) || !dropped.has(item[mergeKey]))
  const keyOf = (item: unknown) => (isRecord(item) ? item[mergeKey] : undefined)
  const merged = new Map<unknown, unknown>()
  for (const item of items.filter((one) => one.$patch !== 'delete')) {
    const key = item[mergeKey]
    const under = merged.get(key) ?? kept.find((one) => keyOf(one) === key)
    merged.set(key, mergeMap(isRecord(under) ? under : {}, item, keys, depth))
  }
  return interleave(kept, merged, keyOf)
}

/**
 * Kubernetes' order of merged lists: the overlay's elements in the overlay's order, and the others before the first element of the
 * overlay that they stood before. So what only the overlay has comes first: `[a, b]` with `[x, b]` over it is `[x, a, b]`.
 */
function interleave(base: readonly unknown[], merged: ReadonlyMap<unknown, unknown>, keyOf: (item: unknown) => unknown): unknown[] {
  const place = new Map(base.map((item, index) => [keyOf(item), index]))
  const rest = base.map((item, index) => ({ item, index })).filter(({ item }) => !merged.has(keyOf(item)))
  const result: unknown[] = []
  let at = 0
  for (const [key, item] of merged) {
    const limit = place.get(key) ?? -1
    for (let next = rest[at]; next && next.index < limit; next = rest[++at]) result.push(next.item)
    result.push(item)
  }
  return [...result, ...rest.slice(at).map(({ item }) => item)]
}

function withoutNulls(value: unknown, keys: MergeKeys, depth: number): unknown {
  if (isRecord(value)) return mergeMap({}, value, keys, depth + 1)
  return Array.isArray(value) ? value.map((item) => withoutNulls(item, keys, depth + 1)) : value
}
