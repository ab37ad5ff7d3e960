/** Probes a workload that no kubelet looks after, and tells when its health changes. */
import { logger } from '@lateen/base'
import type { ProbeTarget } from './app-probes.ts'
import type { Readiness } from './readiness.ts'
import type { ReadinessProbe } from './readiness-probe.ts'

export interface WatchedWorkload {
  /** The proxy before it: a workload that cannot be reached through it is not healthy. */
  readonly readiness: Pick<Readiness, 'check'>
  readonly probe: ReadinessProbe
  readonly target: ProbeTarget
}

const log = logger('healthcheck')

/**
 * Begins to probe. `tell` is called when the first verdict is there and whenever it changes, with what is wrong, or with nothing when
 * all is well.
 */
export function watchWorkload(
  { readiness, probe, target }: WatchedWorkload,
  tell: (problem: string | undefined) => void,
): { stop(): void } {
  let wasHealthy: boolean | undefined
  let successes = 0
  let failures = 0
  let timer: NodeJS.Timeout
  let stopped = false
  const probeOnce = async () => {
    const problem = (await readiness.check()) ?? (await probe.ask(target))
    if (stopped) return
    successes = problem === undefined ? successes + 1 : 0
    failures = problem === undefined ? 0 : failures + 1
    if (successes >= probe.successes && wasHealthy !== true) verdict(true, undefined)
    if (failures >= probe.failures && wasHealthy !== false) verdict(false, problem)
    timer = setTimeout(() => void probeOnce(), probe.periodMs)
  }
  const verdict = (isHealthy: boolean, problem: string | undefined) => {
    wasHealthy = isHealthy
    log.info(isHealthy ? 'the workload is healthy' : `the workload is not healthy: ${problem}`)
    tell(problem)
  }
  timer = setTimeout(() => void probeOnce(), probe.initialDelayMs)
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
