/** Envoy's administration interface of a proxy in the cluster, asked through the API server. */
import { execInPod } from '@lateen/kube'
import { CommandError } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'
import { askPod, isLate } from './pod-ports.ts'
import { findPod, proxyContainerOf } from './pods.ts'

/** Where Envoy serves it, unless the proxy was configured otherwise. */
export const ADMIN_PORT = 15_000

export interface ProxyAdmin {
  /** `name.namespace` of the pod. */
  readonly pod: string
  /** The body of the answer. @throws CommandError when Envoy does not answer */
  ask(method: 'GET' | 'POST', path: string): Promise<string>
}

/**
 * Asks through a forwarded port, as istioctl does it; where that is closed, the proxy's own agent asks, which knows Envoy's port and
 * takes the start of a process longer.
 *
 * @throws CommandError when there is no such pod, or no proxy in it
 */
export async function proxyAdmin(cluster: Cluster, reference: string, port = ADMIN_PORT): Promise<ProxyAdmin> {
  const found = await findPod(cluster.client, reference, cluster.namespace)
  const { name, namespace = 'default' } = found.metadata
  const pod = `${name}.${namespace}`
  const container = proxyContainerOf(found)
  if (!container) {
    throw new CommandError(`pod ${pod} has no proxy: it was not injected. See: lateen x check-inject ${pod}`)
  }
  if (found.status?.phase !== 'Running') {
    throw new CommandError(
      `pod ${pod} is ${found.status?.phase ?? 'not running'}: its proxy cannot be asked. See: kubectl describe pod ${name} -n ${namespace}`,
    )
  }
  return {
    pod,
    ask: async (method, path) => {
      const body = await overPort(cluster, { namespace, pod: name, port }, method, path)
      if (body !== undefined) return body
      const command = ['pilot-agent', 'request', method, path]
      const { stdout, stderr, code } = await execInPod(cluster.connection, {
        namespace,
        pod: name,
        container,
        command,
        timeoutMs: cluster.timeoutMs,
      })
      if (code === 0) return stdout.toString('utf8')
      throw new CommandError(`the proxy of pod ${pod} did not answer ${method} ${path}: ${stderr.trim() || `exit code ${code}`}`)
    },
  }
}

interface Place {
  readonly namespace: string
  readonly pod: string
  readonly port: number
}

/** Undefined when this way is closed. @throws CommandError when Envoy answers with a fault, or not in time */
async function overPort(cluster: Cluster, place: Place, method: 'GET' | 'POST', path: string): Promise<string | undefined> {
  const request = { ...place, method, path: path.startsWith('/') ? path : `/${path}` }
  const { namespace, pod } = place
  const failed = `the proxy of pod ${pod}.${namespace} did not answer ${method} ${path}`
  const answer = await askPod(cluster, request).catch((cause: unknown) => {
    if (!isLate(cause)) {
      // The agent knows Envoy's own port, not another.
      if (place.port === ADMIN_PORT) return undefined
      throw new CommandError(`${failed} on port ${place.port}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
    throw new CommandError(`${failed} within ${cluster.timeoutMs} ms; see: kubectl logs ${pod} -n ${namespace} -c istio-proxy`, { cause })
  })
  if (!answer || answer.status < 400) return answer?.body
  throw new CommandError(`${failed}: ${answer.body.trim().slice(0, 300) || `status ${answer.status}`}`)
}
