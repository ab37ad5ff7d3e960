/** How many replicas the old and new ReplicaSets of a Deployment should have next. Pure. */
import type { Deployment, ReplicaSet } from '../kube/workloads.ts'

export interface Limits {
  readonly replicas: number
  readonly maxSurge: number
  readonly maxUnavailable: number
}

/** A number, or a percentage of the replicas: surge rounds up, unavailability down; never both zero. */
export function limitsOf(deployment: Deployment): Limits {
  const replicas = deployment.spec?.replicas ?? 1
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {}
  const surge = amount(maxSurge, replicas, Math.ceil)
  const unavailable = Math.min(amount(maxUnavailable, replicas, Math.floor), replicas)
  return { replicas, maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

function amount(value: number | string, replicas: number, round: (n: number) => number): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)
  return percent ? round((Number(percent[1]) * replicas) / 100) : Number(value) || 0
}

const wanted = (set: ReplicaSet) => set.spec?.replicas ?? 0
const available = (set: ReplicaSet) => set.status?.availableReplicas ?? 0
const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number) => sets.reduce((total, set) => total + of(set), 0)

/** The next sizes, by name; sets that keep theirs are left out. `old` oldest first. */
export function nextSizes(limits: Limits, current: ReplicaSet, old: readonly ReplicaSet[]): Map<string, number> {
  const sizes = new Map<string, number>()
  const total = wanted(current) + sum(old, wanted)
  if (wanted(current) > limits.replicas) sizes.set(current.metadata.name, limits.replicas)
  else if (wanted(current) < limits.replicas) {
    const room = limits.replicas + limits.maxSurge - total
    if (room > 0) sizes.set(current.metadata.name, wanted(current) + Math.min(room, limits.replicas - wanted(current)))
  }
  if (sizes.size > 0) return sizes
  shrinkOld(limits, current, old, sizes)
  return sizes
}

/** Takes away what never became available first, then as many as may be missing. */
function shrinkOld(limits: Limits, current: ReplicaSet, old: readonly ReplicaSet[], sizes: Map<string, number>): void {
  const least = limits.replicas - limits.maxUnavailable
  const total = wanted(current) + sum(old, wanted)
  const coming = Math.max(0, wanted(current) - available(current))
  let left = total - least - coming
  if (left <= 0) return
  const now = new Map(old.map((set) => [set.metadata.name, wanted(set)]))
  for (const set of old) {
    const ill = Math.min(left, Math.max(0, wanted(set) - available(set)))
    now.set(set.metadata.name, wanted(set) - ill)
    left -= ill
  }
  let surplus = Math.min(left, available(current) + sum(old, (set) => Math.min(available(set), now.get(set.metadata.name) ?? 0)) - least)
  for (const set of old) {
    if (surplus <= 0) break
    const size = now.get(set.metadata.name) ?? 0
    const cut = Math.min(size, surplus)
    now.set(set.metadata.name, size - cut)
    surplus -= cut
  }
  for (const set of old) if (now.get(set.metadata.name) !== wanted(set)) sizes.set(set.metadata.name, now.get(set.metadata.name) ?? 0)
}
