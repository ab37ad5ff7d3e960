/** Metrics of a proxy in Prometheus' format, as its agent writes them: Envoy's own page has calls under other names and labels. */
import type { Cluster } from '../../../cluster/connect.ts'
import { askPod } from '../../../cluster/pod-ports.ts'
import { CommandError } from '../../../shell/exit-codes.ts'

/** `all` has the application's and the agent's own metrics too. */
const PORTS = { proxy: 15_090, all: 15_020 } as const

/** The page of the pod `name.namespace`. @throws CommandError when there is none */
export async function metricsPage(cluster: Cluster, pod: string, which: keyof typeof PORTS): Promise<string> {
  const dot = pod.lastIndexOf('.')
  const target = { namespace: pod.slice(dot + 1), pod: pod.slice(0, dot), port: PORTS[which] }
  const { status, body } = await askPod(cluster, { ...target, method: 'GET', path: '/stats/prometheus' })
  if (status === 200) return body
  throw new CommandError(`port ${PORTS[which]} of pod ${pod} answered ${status} to GET /stats/prometheus`)
}
