/** The ztunnels of a cluster, by name or by node, and what their administration interface answers. */
import { RESOURCE_TYPES } from '@lateen/api'
import { CommandError } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'
import { askPod } from './pod-ports.ts'
import { findPod, type PodObject } from './pods.ts'

const SELECTOR = 'app=ztunnel'

/** The pod of `reference`, else all running ztunnels, of one node when it is given. @throws CommandError when there are none */
export async function findZtunnels(cluster: Cluster, reference: string | undefined, node: string | undefined): Promise<PodObject[]> {
  const { client, istioNamespace } = cluster
  if (reference !== undefined) {
    const pod = await findPod(client, reference, istioNamespace)
    if (pod.metadata.labels?.['app'] === 'ztunnel') return [pod]
    throw new CommandError(
      `pod ${pod.metadata.name}.${pod.metadata.namespace} is no ztunnel; for sidecars and gateways: lateen proxy-config`,
    )
  }
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, { labelSelector: SELECTOR })
  const running = items.filter(({ spec, status }) => status?.phase === 'Running' && (!node || spec?.nodeName === node))
  if (running.length > 0) return running
  throw new CommandError(
    items.length === 0
      ? `no ztunnel runs in this cluster (${SELECTOR}): the mesh has no ambient mode. A saved dump is read with --file`
      : `no ztunnel runs on node ${node}; there are ${items.map(({ spec }) => spec?.nodeName).join(', ')}`,
  )
}

/** @throws CommandError when it does not answer with success */
export async function askZtunnel(cluster: Cluster, pod: PodObject, port: number, method: 'GET' | 'POST', path: string): Promise<string> {
  const { name, namespace = cluster.istioNamespace } = pod.metadata
  const { status, body } = await askPod(cluster, { namespace, pod: name, port, method, path })
  if (status === 200) return body
  throw new CommandError(`the ztunnel of pod ${name}.${namespace} answered ${method} ${path} with ${status}: ${body.trim().slice(0, 200)}`)
}
