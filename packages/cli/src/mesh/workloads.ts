/** What runs in the mesh, read from its own API with the kubeconfig of the home. */
import type { KubeObject, ResourceType } from '@lateen/api'
import { createKubeClient, type KubeClient, loadConnection } from '@lateen/kube'
import type { Home } from './home.ts'

export const DEPLOYMENTS: ResourceType = { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true }
export const PODS: ResourceType = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }

/** Rejects when the API does not answer in this time: `status` is asked just when things hang. */
const ANSWER_WITHIN_MS = 3_000

export interface DeploymentStatus {
  readonly namespace: string
  readonly name: string
  readonly ready: number
  readonly wanted: number
}

interface DeploymentSpec {
  readonly replicas?: number
}
interface DeploymentCounts {
  readonly readyReplicas?: number
  readonly updatedReplicas?: number
  readonly observedGeneration?: number
}

/** A client for the mesh of this home; the caller closes it. */
export function meshClient(home: Home): KubeClient {
  return createKubeClient(loadConnection({ path: home.kubeconfig, env: {} }))
}

/** Runs `ask` with a client that is closed afterwards; gives up after three seconds. */
export async function askMesh<T>(home: Home, ask: (client: KubeClient) => Promise<T>): Promise<T> {
  const client = meshClient(home)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the API server did not answer within ${ANSWER_WITHIN_MS / 1000} s`)), ANSWER_WITHIN_MS)
  })
  try {
    return await Promise.race([ask(client), late])
  } finally {
    clearTimeout(timer)
    client.close()
  }
}

export async function listDeployments(client: KubeClient, namespace?: string): Promise<DeploymentStatus[]> {
  const { items } = await client.list<KubeObject<DeploymentSpec, DeploymentCounts>>(DEPLOYMENTS, namespace ? { namespace } : {})
  return items.map(({ metadata, spec, status }) => {
    // Counts of an older generation say nothing about what is wanted now.
    const current = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
    const ready = current ? Math.min(status?.readyReplicas ?? 0, status?.updatedReplicas ?? 0) : 0
    return { namespace: metadata.namespace ?? '', name: metadata.name, ready, wanted: spec?.replicas ?? 1 }
  })
}

interface PodSpec {
  readonly containers?: readonly { readonly name: string }[]
}
interface ContainerStatus {
  readonly name: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } }
}
interface PodStatus {
  readonly phase?: string
  readonly message?: string
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
}

/** One line for each pod that is not ready, with the first reason that its containers give. */
export async function notReadyPods(client: KubeClient, namespace?: string): Promise<string[]> {
  const { items } = await client.list<KubeObject<PodSpec, PodStatus>>(PODS, namespace ? { namespace } : {})
  return items.flatMap((pod) => {
    const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    const ready =
      (pod.status?.containerStatuses ?? []).length === (pod.spec?.containers ?? []).length &&
      (pod.status?.containerStatuses ?? []).every((c) => c.ready)
    if (ready || pod.status?.phase === 'Succeeded') return []
    const waiting = containers.find(({ state }) => state?.waiting)
    const why = waiting
      ? `container ${waiting.name}: ${waiting.state?.waiting?.message ?? waiting.state?.waiting?.reason ?? 'waiting'}`
      : (pod.status?.message ?? pod.status?.phase ?? 'unknown')
    return [`pod ${pod.metadata.namespace}/${pod.metadata.name}: ${why}`]
  })
}
