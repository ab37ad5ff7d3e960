/** Envoy's administration interface of a proxy in the cluster, asked by its own agent inside the pod. */
import { execInPod } from '@lateen/kube'
import { CommandError } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'
import { findPod, proxyContainerOf } from './pods.ts'

export interface ProxyAdmin {
  /** `name.namespace` of the pod. */
  readonly pod: string
  /** The body of the answer. @throws CommandError when Envoy does not answer */
  ask(method: 'GET' | 'POST', path: string): Promise<string>
}

/** @throws CommandError when there is no such pod, or no proxy in it */
export async function proxyAdmin(cluster: Cluster, reference: string): Promise<ProxyAdmin> {
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
