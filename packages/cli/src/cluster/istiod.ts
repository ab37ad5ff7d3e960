/** The control plane's replicas, asked for their debug pages by their own program inside the pod. */
import { RESOURCE_TYPES } from '@lateen/api'
import { execInPod } from '@lateen/kube'
import { CommandError } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'
import type { PodObject } from './pods.ts'

export interface Answer {
  /** Name of the replica's pod. */
  readonly istiod: string
  /** The value of the `istio.io/rev` label. */
  readonly revision: string
  readonly body: string
}

export interface Answers {
  readonly answers: readonly Answer[]
  /** One line for each replica that did not answer. */
  readonly faults: readonly string[]
}

/** The running replicas, of one revision when it is given. @throws CommandError when there are none */
export async function findIstiods({ client, istioNamespace }: Cluster, revision?: string, selector = 'app=istiod'): Promise<PodObject[]> {
  const labelSelector = [selector, ...(revision ? [`istio.io/rev=${revision}`] : [])].join(',')
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, { namespace: istioNamespace, labelSelector })
  const running = items.filter(({ status, metadata }) => status?.phase === 'Running' && metadata.deletionTimestamp === undefined)
  if (running.length > 0) return running.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  throw new CommandError(
    `no control plane runs in namespace ${istioNamespace}${revision ? ` with revision ${revision}` : ''} (${labelSelector}); name another with --istioNamespace`,
  )
}

/** GETs `path` of every replica; one that does not answer is a fault, not the end. @throws CommandError when none answers */
export async function askIstiods(cluster: Cluster, path: string, revision?: string): Promise<Answers> {
  const pods = await findIstiods(cluster, revision)
  const asked = await Promise.all(pods.map((pod) => askIstiod(cluster, pod, path)))
  const answers = asked.filter((each) => typeof each !== 'string')
  const faults = asked.filter((each) => typeof each === 'string')
  if (answers.length === 0) throw new CommandError(faults.join('\n'))
  return { answers, faults }
}

async function askIstiod(cluster: Cluster, pod: PodObject, path: string): Promise<Answer | string> {
  const { name, namespace = cluster.istioNamespace, labels } = pod.metadata
  try {
    const { stdout, stderr, code } = await execInPod(cluster.connection, {
      namespace,
      pod: name,
      container: 'discovery',
      command: ['pilot-discovery', 'request', 'GET', path],
      timeoutMs: cluster.timeoutMs,
    })
    if (code !== 0) {
      // What the control plane says comes on standard output, before the status.
      const [said = ''] = stdout.toString('utf8').trim().split('\n')
      return `${name}.${namespace} did not answer GET ${path}: ${said || stderr.trim() || `exit code ${code}`}`
    }
    return { istiod: name, revision: labels?.['istio.io/rev'] ?? 'default', body: stdout.toString('utf8') }
  } catch (error) {
    return `${name}.${namespace} did not answer GET ${path}: ${error instanceof Error ? error.message : String(error)}`
  }
}
