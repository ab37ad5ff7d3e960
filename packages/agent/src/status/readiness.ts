/** Whether Envoy can take traffic. */
import type { EnvoyAdmin } from '../envoy/admin.ts'

export interface Readiness {
  /** Nothing when ready; else why not, in a sentence. */
  check(): Promise<string | undefined>
  /** From now on never ready. */
  beginDrain(): void
}

/** `server.state` of a live Envoy. */
const LIVE = 0
const STATS =
  '^(server\\.state|(cluster_manager\\.cds|listener_manager\\.lds)\\.update_(success|rejected)|listener_manager\\.workers_started)$'

/**
 * Readiness as Istio has it: the first time only after clusters and listeners have come and the workers run; afterwards as long as
 * the server is live.
 *
 * @param identityReady whether the workload has a certificate
 */
export function createReadiness(admin: EnvoyAdmin, identityReady: () => boolean): Readiness {
  let wasReady = false
  let draining = false
  return {
    async check() {
      if (draining) return 'the proxy is draining'
      if (!identityReady()) return 'the workload has no certificate yet'
      let stats: Map<string, number>
      try {
        stats = await admin.stats(wasReady ? '^server\\.state$' : STATS)
      } catch (error) {
        return `Envoy does not answer: ${error instanceof Error ? error.message : String(error)}`
      }
      const state = stats.get('server.state')
      if (state !== LIVE) return `Envoy is not live (server.state ${state ?? 'unknown'})`
      if (wasReady) return undefined
      const missing = notReceived(stats)
      if (missing) return missing
      wasReady = true
      return undefined
    },
    beginDrain() {
      draining = true
    },
  }
}

function notReceived(stats: ReadonlyMap<string, number>): string | undefined {
  const count = (name: string) => stats.get(name) ?? 0
  const clusters = count('cluster_manager.cds.update_success')
  const listeners = count('listener_manager.lds.update_success')
  if (clusters === 0 || listeners === 0) {
    const rejected = [count('cluster_manager.cds.update_rejected'), count('listener_manager.lds.update_rejected')]
    return `config not received from the control plane (clusters: ${clusters} taken, ${rejected[0]} rejected; listeners: ${listeners} taken, ${rejected[1]} rejected)`
  }
  return count('listener_manager.workers_started') === 0 ? "Envoy's workers have not started" : undefined
}
