/** Questions to the mesh's Prometheus, through the API server. */
import { RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../../cluster/connect.ts'
import { askPod, type PodPort } from '../../../cluster/pod-ports.ts'
import type { PodObject } from '../../../cluster/pods.ts'
import { at, list } from '../../../config-dump/fields.ts'
import { CommandError } from '../../../shell/exit-codes.ts'

const PORT = 9090

const LABELS = ['app.kubernetes.io/name=prometheus', 'app=prometheus']

/** The mesh's Prometheus; undefined when none runs. */
export async function findPrometheus({ client, istioNamespace }: Cluster): Promise<PodPort | undefined> {
  const lists = await Promise.all(
    LABELS.map((labelSelector) => client.list<PodObject>(RESOURCE_TYPES.Pod, { namespace: istioNamespace, labelSelector })),
  )
  const pod = lists.flatMap(({ items }) => items).find(({ status }) => status?.phase === 'Running')
  return pod && { namespace: istioNamespace, pod: pod.metadata.name, port: PORT }
}

/** The first value of an instant query; 0 when nothing matches. @throws CommandError when Prometheus refuses it */
export async function instantValue(cluster: Cluster, prometheus: PodPort, query: string): Promise<number> {
  const path = `/api/v1/query?${new URLSearchParams({ query })}`
  const { status, body } = await askPod(cluster, { ...prometheus, method: 'GET', path })
  if (status !== 200) throw new CommandError(`Prometheus answered ${status} to ${query}: ${body.slice(0, 200).trim()}`)
  return valueIn(body)
}

function valueIn(body: string): number {
  try {
    const [first] = list(at(JSON.parse(body), 'data', 'result'))
    const value = Number(list(at(first, 'value'))[1] ?? 0)
    return Number.isFinite(value) ? value : 0
  } catch (cause) {
    throw new CommandError('Prometheus gave no JSON: is another program on its port?', { cause })
  }
}
