/** What the pods behind a service accept, by their PeerAuthentications. */
import { hasLabels, type KubeObject, type Pod, type Service } from '@lateen/api'
import { type MutualTls, modeOfPort } from '@lateen/model'
import { acceptedTls } from '../x/describe/mutual-tls.ts'
import { hasProxy, targetOf } from '../x/describe/pod-text.ts'

/** `HTTP`: a server without a proxy; `unknown`: nothing is known of the servers. */
export type ServerTls = MutualTls | 'HTTP' | 'unknown'

export interface Servers {
  readonly services: readonly Service[]
  readonly pods: readonly Pod[]
  readonly policies: readonly KubeObject[]
  readonly rootNamespace: string
}

export interface Accepted {
  /** One mode where all pods agree. */
  readonly modes: readonly ServerTls[]
  /** `name.namespace` of the narrowest policy; `-` for none. */
  readonly policy: string
}

/** @param host `cart.shop.svc.cluster.local` */
export function serverTls({ services, pods, policies, rootNamespace }: Servers, host: string, port: number): Accepted {
  const [name, namespace] = host.split('.')
  const service = services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
  const selector = service?.spec?.selector ?? {}
  const servicePort = service?.spec?.ports?.find((each) => each.port === port)
  const behind = pods.filter(
    ({ metadata }) => Object.keys(selector).length > 0 && metadata.namespace === namespace && hasLabels(metadata.labels ?? {}, selector),
  )
  if (!servicePort || behind.length === 0) return { modes: ['unknown'], policy: '-' }
  const found = behind.map((pod) => {
    if (!hasProxy(pod)) return { mode: 'HTTP' as const, policy: '-' }
    const workload = { namespace: namespace ?? '', labels: pod.metadata.labels ?? {} }
    const { effective, applied } = acceptedTls(policies, workload, rootNamespace)
    return { mode: modeOfPort(effective, targetOf(servicePort, pod) ?? port), policy: applied.at(-1) ?? '-' }
  })
  return { modes: [...new Set(found.map(({ mode }) => mode))].sort(), policy: found[0]?.policy ?? '-' }
}
