/** Tells in the record what the proxies of this replica have acknowledged, while the root is being changed. */
import { logger } from '@lateen/base'
import { type ReplicaReport, type Rotation, subjectOf, TRUST_TYPE } from '@lateen/ca'
import type { ConnectionStatus } from '@lateen/xds'
import type { RotationStore } from './store.ts'

export interface ReporterOptions {
  readonly store: RotationStore
  readonly replica: string
  readonly connections: () => readonly ConnectionStatus[]
  /** When this replica put in force what it tells of a type now, in milliseconds since 1970. */
  readonly inForceSince: (typeUrl: string) => number
}

const log = logger('ca')
const LOOK_MS = 300
const REPEAT_MS = 5_000
const MAX_NAMES = 5
/** An agent that lost its connection tries again within this time. */
const GONE_MS = 12_000

/** Looks at the connections while a change is under way; returns how to stop. */
export function reportProgress(options: ReporterOptions): () => void {
  const { store, replica } = options
  const since = Date.now()
  const gone = recentlyGone()
  let last: ReplicaReport | undefined
  let busy = false
  const look = () => {
    const { rotation } = store.record
    if (!rotation || busy) return
    const connections = options.connections()
    const report = reportOf(rotation, connections, {
      inForceSince: options.inForceSince,
      at: Date.now(),
      since,
      gone: gone(rotation.id, connections),
    })
    if (last && isSame(report, last) && report.at - last.at < REPEAT_MS) return
    busy = true
    void store
      .report(replica, report)
      .then(
        () => {
          last = report
        },
        (error: unknown) => log.debug(`the progress was not written: ${error instanceof Error ? error.message : String(error)}`),
      )
      .finally(() => {
        busy = false
      })
  }
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

export interface Circumstances {
  readonly inForceSince: (typeUrl: string) => number
  readonly at: number
  readonly since: number
  /** Ids of nodes that were connected a moment ago and will be back, here or at another replica. */
  readonly gone?: readonly string[]
}

/** Of one change, the nodes that are no longer connected and have not been away for long. */
function recentlyGone(): (rotation: string, connections: readonly ConnectionStatus[]) => string[] {
  const seen = new Map<string, number>()
  let about = ''
  return (rotation, connections) => {
    if (rotation !== about) seen.clear()
    about = rotation
    const now = performance.now()
    const here = new Set(connections.map(({ node }) => node.id))
    for (const id of here) seen.set(id, now)
    for (const [id, at] of seen) if (now - at > GONE_MS) seen.delete(id)
    return [...seen.keys()].filter((id) => !here.has(id))
  }
}

/** What the connections say of the phase that a change is in. */
export function reportOf(
  rotation: Pick<Rotation, 'id' | 'phase' | 'back'>,
  connections: readonly ConnectionStatus[],
  { inForceSince, at, since, gone = [] }: Circumstances,
): ReplicaReport {
  const typeUrl = rotation.phase === 'issue' ? TRUST_TYPE.issuer : TRUST_TYPE.roots
  const counts = { total: 0, ready: 0, unaware: 0 }
  const waiting: string[] = []
  // A proxy that reconnects may be seen twice for a moment: the newest connection speaks for it.
  for (const { node, types } of new Map(connections.map((connection) => [connection.node.id, connection])).values()) {
    counts.total++
    const type = types.find((candidate) => candidate.typeUrl === typeUrl)
    if (!type) counts.unaware++
    else if (type.state === 'SYNCED' && type.sentAt >= inForceSince(typeUrl)) counts.ready++
    else if (waiting.length < MAX_NAMES) waiting.push(nameOf(node.id))
  }
  for (const id of gone) {
    counts.total++
    if (waiting.length < MAX_NAMES) waiting.push(nameOf(id))
  }
  return { about: subjectOf(rotation), ...counts, waiting, at, since }
}

const nameOf = (nodeId: string): string => nodeId.split('~')[2] ?? nodeId.slice(0, 100)

const isSame = (a: ReplicaReport, b: ReplicaReport): boolean =>
  a.about === b.about && a.total === b.total && a.ready === b.ready && a.unaware === b.unaware && a.waiting.join() === b.waiting.join()
