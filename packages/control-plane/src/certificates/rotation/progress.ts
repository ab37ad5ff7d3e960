/** When a phase of a root's change is over: a function of what is known, without a clock of its own. */
import { type Phase, type ReplicaReport, type Rotation, subjectOf } from '@lateen/ca'

export interface Facts {
  readonly now: number
  readonly replicas: readonly ReplicaReport[]
  /** Pods with a proxy that run. */
  readonly proxyPods: number
  /** The roots are in the ConfigMaps of all namespaces and in the webhook configurations. */
  readonly distributed: boolean
  /** After this time every certificate of before has expired or been renewed. */
  readonly certificateLifeMs: number
}

export interface Progress {
  /** The phase to go on to; absent to stay. */
  readonly next?: Phase | 'done'
  readonly total: number
  readonly ready: number
  /** Empty when nothing is waited for. */
  readonly waitingFor: string
}

const FOLLOWING: Readonly<Record<Phase, Phase | 'done'>> = { distribute: 'issue', issue: 'retire', retire: 'done' }

/** A replica that has not been heard of for this long has gone, and its proxies are elsewhere or not connected. */
export const REPORT_LIFE_MS = 15_000
/** A replica that has just started has not heard of its proxies yet, of which some may be in no pod. */
const SETTLE_MS = 5_000
/** Which replicas there are is known by their first reports. */
const FIRST_LOOK_MS = 2_000
/** Nothing depends on the last acknowledgements of roots that were taken away. */
const RETIRE_MS = 60_000

/**
 * Whether all proxies are ready. Those that cannot say so, or are not connected, count once their certificates of before have
 * ended: by then they have new ones, with the roots that came along, or none.
 */
export function progressOf(rotation: Rotation, facts: Facts): Progress {
  const alive = facts.replicas.filter(({ at }) => facts.now - at < REPORT_LIFE_MS)
  const reports = alive.filter(({ about }) => about === subjectOf(rotation))
  const sum = (field: 'total' | 'ready' | 'unaware') => reports.reduce((all, report) => all + report[field], 0)
  const [total, ready, unaware] = [sum('total'), sum('ready'), sum('unaware')]
  const missing = Math.max(0, facts.proxyPods - total)
  const age = facts.now - rotation.phaseAt
  const counts = { total: Math.max(total, facts.proxyPods), ready }
  const stay = (waitingFor: string): Progress => ({ ...counts, waitingFor })
  if (reports.length < alive.length || (rotation.phase === 'distribute' && age < FIRST_LOOK_MS))
    return stay('all replicas of the control plane to report')
  if (!reports.some(({ at, since }) => at - since >= SETTLE_MS)) return stay('proxies to connect to a control plane that has just started')
  const limit = rotation.phase === 'retire' ? RETIRE_MS : facts.certificateLifeMs
  if (!rotation.forced && age < limit) {
    const names = reports.flatMap(({ waiting }) => waiting).slice(0, 5)
    const behind = total - ready - unaware
    if (behind > 0) return stay(`${behind} of ${total} proxies (${names.join(', ')})`)
    const until = new Date(rotation.phaseAt + limit).toISOString()
    if (unaware > 0) return stay(`${unaware} proxies whose agents do not report; at the latest until ${until}`)
    if (missing > 0) return stay(`${missing} proxies that run but are not connected; at the latest until ${until}`)
  }
  if (rotation.phase === 'distribute' && !facts.distributed) return stay('the roots to be in every namespace and webhook configuration')
  return { ...counts, next: FOLLOWING[rotation.phase], waitingFor: '' }
}
