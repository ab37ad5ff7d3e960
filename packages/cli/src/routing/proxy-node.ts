/** The proxy of a pod, as it would introduce itself to the control plane. */
import type { KubeObject } from '@lateen/api'
import type { ProxyNode } from '@lateen/translate'
import { fieldsOf, isFields, listOf, textOf, textsOf } from './fields.ts'

export type ProxyRole = 'sidecar' | 'router' | 'waypoint' | 'none'

export interface PodView {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: readonly string[]
  readonly serviceAccount: string
  readonly role: ProxyRole
  readonly ready: boolean
  readonly object: KubeObject
}

export function podView(pod: KubeObject): PodView {
  const spec = fieldsOf(pod.spec)
  const status = fieldsOf(pod.status)
  const listed = listOf(status['podIPs']).map((entry) => textOf(fieldsOf(entry)['ip']))
  const ready = listOf(status['conditions']).some((entry) => fieldsOf(entry)['type'] === 'Ready' && fieldsOf(entry)['status'] === 'True')
  return {
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? '',
    labels: pod.metadata.labels ?? {},
    addresses: (listed.length > 0 ? listed : [textOf(status['podIP'])]).filter((address) => address !== ''),
    serviceAccount: textOf(spec['serviceAccountName']) || 'default',
    role: roleOf(spec),
    ready,
    object: pod,
  }
}

const PROXY_CONTAINER = 'istio-proxy'

function proxyContainer(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  return [...listOf(spec['containers']), ...listOf(spec['initContainers'])].map(fieldsOf).find(({ name }) => name === PROXY_CONTAINER)
}

/** A pod of which little is kept, with the words and the environment of its proxy. */
export function withProxy(kept: KubeObject | undefined, pod: KubeObject): KubeObject | undefined {
  if (!kept) return undefined
  const spec = fieldsOf(kept.spec)
  const proxy = proxyContainer(fieldsOf(pod.spec))
  if (!proxy) return kept
  const { command, args, env } = proxy
  const started = (containers: unknown) =>
    listOf(containers)
      .map(fieldsOf)
      .map((container) => (container['name'] === PROXY_CONTAINER ? { ...container, command, args, env } : container))
  return {
    ...kept,
    spec: {
      ...spec,
      containers: started(spec['containers']),
      ...(spec['initContainers'] !== undefined && { initContainers: started(spec['initContainers']) }),
    },
  }
}

function roleOf(spec: Readonly<Record<string, unknown>>): ProxyRole {
  const proxy = proxyContainer(spec)
  if (!proxy) return 'none'
  const words = [...listOf(proxy['command']), ...listOf(proxy['args'])].map(String)
  return words.includes('router') ? 'router' : words.includes('waypoint') ? 'waypoint' : 'sidecar'
}

const META = 'ISTIO_META_'

/** The node of a pod's proxy; what only the running agent knows is taken from the container's environment. */
export function proxyNode(pod: PodView): ProxyNode {
  const { name, namespace, labels, addresses, serviceAccount, role } = pod
  const env = environmentOf(pod.object)
  const meta = Object.entries(env).flatMap(([key, value]) => (key.startsWith(META) ? [[key.slice(META.length), value]] : []))
  const proxyConfig = parsed(env['PROXY_CONFIG'])
  const [region = '', zone = '', subZone = ''] = (labels['istio-locality'] ?? '').split('.')
  return {
    id: `${role === 'none' ? 'sidecar' : role}~${addresses[0] ?? ''}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${labels['app'] ?? name}.${namespace}`,
    metadata: {
      CLUSTER_ID: 'Kubernetes',
      ...Object.fromEntries(meta),
      NAME: name,
      NAMESPACE: namespace,
      LABELS: labels,
      INSTANCE_IPS: addresses.join(','),
      SERVICE_ACCOUNT: serviceAccount,
      ...(isFields(proxyConfig) && { PROXY_CONFIG: proxyConfig }),
    },
    locality: { region, zone, subZone },
    userAgentName: 'envoy',
    userAgentVersion: '1.40.0',
  }
}

function environmentOf(pod: KubeObject): Readonly<Record<string, string>> {
  const entries = listOf(proxyContainer(fieldsOf(pod.spec))?.['env']).map(fieldsOf)
  return textsOf(Object.fromEntries(entries.flatMap(({ name, value }) => (value === undefined ? [] : [[String(name), value]]))))
}

function parsed(text: string | undefined): unknown {
  if (text === undefined || text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    // A proxy that cannot read it starts with the defaults.
    return undefined
  }
}
