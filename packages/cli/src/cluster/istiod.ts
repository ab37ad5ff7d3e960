/** The control plane's replicas, asked for their pages through the API server. */
import { RESOURCE_TYPES } from '@lateen/api'
import { execInPod } from '@lateen/kube'
import { at, text } from '../config-dump/fields.ts'
import { CommandError } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'
import { askPod, isLate } from './pod-ports.ts'
import type { PodObject } from './pods.ts'

export interface Answer {
  /** Name of the replica's pod. */
  readonly istiod: string
  /** The value of the `istio.io/rev` label. */
  readonly revision: string
  /** As it calls itself; only known over xDS. */
  readonly version?: string
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

/** Asked with: a token of the control plane's namespace, for debug pages alone. */
const AUDIENCE = 'istio-ca'
const ACCOUNT = 'default'
const MONITORING_PORT = 15_014
/** The shortest life that API servers give. */
const TOKEN_SECONDS = 600

/** One for each cluster, so that several pages are asked for with the same token. */
const tokens = new WeakMap<Cluster, Promise<string | undefined>>()

/**
 * GETs `path` of one replica, or says why there is no answer: through a forwarded port, as istioctl does it; where that is not allowed,
 * or the token is not taken, by the control plane's own program in the pod, which is slower by the start of a process.
 */
export async function askIstiod(cluster: Cluster, pod: PodObject, path: string): Promise<Answer | string> {
  const { name, namespace = cluster.istioNamespace, labels } = pod.metadata
  const place = { namespace, pod: name }
  try {
    const { body, fault } = (await overPort(cluster, place, path)) ?? (await byOwnProgram(cluster, place, path))
    if (fault === undefined) return { istiod: name, revision: labels?.['istio.io/rev'] ?? 'default', body }
    return `${name}.${namespace} did not answer GET ${path}: ${fault}`
  } catch (error) {
    return `${name}.${namespace} did not answer GET ${path}: ${error instanceof Error ? error.message : String(error)}`
  }
}

interface Place {
  readonly namespace: string
  readonly pod: string
}

interface Said {
  readonly body: string
  /** What is wrong, in the words of the control plane. */
  readonly fault?: string
}

/** Undefined when this way is closed. @throws CommandError or ConnectionError when the time is over */
async function overPort(cluster: Cluster, place: Place, path: string): Promise<Said | undefined> {
  const token = path.startsWith('/debug') ? await tokenOf(cluster) : undefined
  try {
    const request = { ...place, port: MONITORING_PORT, method: 'GET', path, ...(token && { token }) } as const
    const { status, body } = await askPod(cluster, request)
    if (status < 400) return { body }
    if (status !== 401 && status !== 403) return { body, fault: firstLine(body) || `it answered ${status}` }
    tokens.delete(cluster)
    return undefined
  } catch (error) {
    if (isLate(error)) throw error
    return undefined
  }
}

function tokenOf(cluster: Cluster): Promise<string | undefined> {
  const known = tokens.get(cluster)
  if (known) return known
  const { client, istioNamespace } = cluster
  const made = client
    .request('POST', `/api/v1/namespaces/${istioNamespace}/serviceaccounts/${ACCOUNT}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [AUDIENCE], expirationSeconds: TOKEN_SECONDS },
    })
    .then(
      (answer) => text(at(answer, 'status', 'token')) || undefined,
      () => undefined,
    )
  tokens.set(cluster, made)
  return made
}

async function byOwnProgram({ connection, timeoutMs }: Cluster, place: Place, path: string): Promise<Said> {
  const { stdout, stderr, code } = await execInPod(connection, {
    ...place,
    container: 'discovery',
    command: ['pilot-discovery', 'request', 'GET', path],
    timeoutMs,
  })
  const body = stdout.toString('utf8')
  // What the control plane says comes on standard output, before the status.
  return code === 0 ? { body } : { body, fault: firstLine(body) || stderr.trim() || `exit code ${code}` }
}

const firstLine = (body: string): string => body.trim().split('\n')[0] ?? ''
