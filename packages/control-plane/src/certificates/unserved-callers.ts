/** Workloads that have proven who they are, ask for a certificate and get none: for whoever looks for the reason. */

export interface UnservedCaller {
  readonly identity: string
  /** Why it was refused the last time. */
  readonly reason: string
  /** RFC 3339: since when it has got none. */
  readonly since: string
  readonly attempts: number
}

export interface UnservedCallers {
  issued(identity: string): void
  refused(identity: string, reason: string): void
  /** Those that still ask, the longest unserved first. */
  list(): UnservedCaller[]
}

const MOST_KEPT = 1_000
/** Proxies ask again within half a minute; one that no longer does is gone. */
const GONE_MS = 3 * 60_000

export function followUnserved(now: () => number = Date.now): UnservedCallers {
  const kept = new Map<string, { reason: string; since: number; last: number; attempts: number }>()
  const forget = () => {
    for (const [identity, { last }] of kept) if (now() - last > GONE_MS) kept.delete(identity)
  }
  return {
    issued: (identity) => void kept.delete(identity),
    refused: (identity, reason) => {
      forget()
      const before = kept.get(identity)
      if (!before && kept.size >= MOST_KEPT) return
      kept.set(identity, { reason, since: before?.since ?? now(), last: now(), attempts: (before?.attempts ?? 0) + 1 })
    },
    list: () => {
      forget()
      return [...kept]
        .sort(([, a], [, b]) => a.since - b.since)
        .map(([identity, { reason, since, attempts }]) => ({ identity, reason, since: new Date(since).toISOString(), attempts }))
    },
  }
}
