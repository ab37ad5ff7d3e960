/** Which services a workload has called: by what its Envoys count of each endpoint, or by Prometheus. */
import type { Cluster } from '../../../cluster/connect.ts'
import { proxyAdmin } from '../../../cluster/envoy-admin.ts'
import { at, list, number, text } from '../../../config-dump/fields.ts'
import type { PodView } from '../../../routing/proxy-node.ts'
import { CommandError } from '../../../shell/exit-codes.ts'

/** Hosts by the workload that called them. */
export type CalledHosts = ReadonlyMap<string, ReadonlySet<string>>

/** Of `/clusters?format=json`: hosts of outbound clusters with a request or a connection. */
export function calledHosts(json: string): string[] {
  const hosts = list(at(JSON.parse(json), 'cluster_statuses')).flatMap((cluster) => {
    const [direction, , , host = ''] = text(at(cluster, 'name')).split('|')
    if (direction !== 'outbound' || host === '') return []
    const used = list(at(cluster, 'host_statuses')).some((endpoint) =>
      list(at(endpoint, 'stats')).some((stat) => /^(rq|cx)_total$/.test(text(at(stat, 'name'))) && number(at(stat, 'value')) > 0),
    )
    return used ? [host] : []
  })
  return [...new Set(hosts)].sort()
}

/** @param note told of a proxy that does not answer; the others still count */
export async function hostsByProxies(
  cluster: Cluster,
  pods: readonly PodView[],
  note: (text: string) => void,
): Promise<Map<PodView, string[]>> {
  const asked = await Promise.all(
    pods.map(async (pod) => {
      try {
        const admin = await proxyAdmin(cluster, `${pod.name}.${pod.namespace}`)
        return [[pod, calledHosts(await admin.ask('GET', 'clusters?format=json'))] as const]
      } catch (error) {
        note(`${pod.name}.${pod.namespace} is left out: ${error instanceof Error ? error.message : String(error)}`)
        return []
      }
    }),
  )
  return new Map(asked.flat())
}

const METRICS = ['istio_requests_total', 'istio_tcp_connections_opened_total']
const MAX_ANSWER = 64 << 20

/** `namespace/workload` → hosts, of a time until now. @throws CommandError when Prometheus does not answer */
export async function hostsByPrometheus(server: string, window: string, timeoutMs: number): Promise<CalledHosts> {
  const found = new Map<string, Set<string>>()
  for (const metric of METRICS) {
    const labels = 'source_workload_namespace, source_workload, destination_service'
    const query = `sum by (${labels}) (increase(${metric}{reporter="source"}[${window}])) > 0`
    for (const series of await ask(server, query, timeoutMs)) {
      const label = (name: string) => text(at(series, 'metric', name))
      const host = label('destination_service')
      if (host === '' || host === 'unknown') continue
      const key = `${label('source_workload_namespace')}/${label('source_workload')}`
      found.set(key, (found.get(key) ?? new Set()).add(host))
    }
  }
  return found
}

async function ask(server: string, query: string, timeoutMs: number): Promise<readonly unknown[]> {
  const url = `${server.replace(/\/$/, '')}/api/v1/query`
  try {
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ query }), signal: AbortSignal.timeout(timeoutMs) })
    const body = await response.text()
    if (!response.ok) throw new Error(`it answered ${response.status}: ${body.slice(0, 200)}`)
    if (body.length > MAX_ANSWER) throw new Error('its answer is too large')
    return list(at(JSON.parse(body), 'data', 'result'))
  } catch (cause) {
    throw new CommandError(`cannot ask Prometheus at ${server}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
