/**
 * What a cluster would add to objects from files: pods of workloads and of gateways, cluster IPs, endpoints, and Services that routes name
 * but the files do not hold. Addresses are from ranges that documentation uses, so that nobody takes them for real ones.
 */
import type { KubeObject } from '@lateen/api'
import { fieldsOf, listOf, textOf, textsOf } from './fields.ts'

const WORKLOADS: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job'])

export interface StandIns {
  /** The given objects, completed, and those that were added. */
  readonly objects: readonly KubeObject[]
  /** Hosts that routes lead to and no Service or ServiceEntry of the files is for. */
  readonly services: readonly string[]
}

export function withStandIns(objects: readonly KubeObject[]): StandIns {
  const addresses = new Addresses()
  const missing = missingServices(objects)
  const own = objects.filter((object) => object.kind === 'Pod')
  const gateways = gatewayPods(objects, own, addresses)
  const fronts = gateways.map((pod) => gatewayService(pod, objects))
  const services = [...objects.filter(isService), ...missing, ...fronts].map((service) => withClusterIp(service, addresses))
  const pods = [...own, ...workloadPods(objects, own, addresses), ...gateways]
  const sliced = new Set(objects.filter(({ kind }) => kind === 'EndpointSlice').map(serviceOfSlice))
  const slices = services.filter((service) => !sliced.has(keyOf(service))).flatMap((service) => endpointSlice(service, pods))
  const others = objects.filter((object) => !isService(object) && object.kind !== 'Pod')
  return { objects: [...others, ...services, ...pods, ...slices], services: missing.map((service) => `${keyOf(service)}`) }
}

const isService = ({ kind, apiVersion }: KubeObject): boolean => kind === 'Service' && apiVersion === 'v1'
const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`
const serviceOfSlice = ({ metadata }: KubeObject): string =>
  `${metadata.namespace ?? ''}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`

class Addresses {
  #service = 0
  #pod = 0

  nextService(): string {
    this.#service++
    return `198.18.${this.#service >> 8}.${this.#service & 255}`
  }

  nextPod(): string {
    this.#pod++
    return `198.19.${this.#pod >> 8}.${this.#pod & 255}`
  }
}

function withClusterIp(service: KubeObject, addresses: Addresses): KubeObject {
  const spec = fieldsOf(service.spec)
  if (spec['clusterIP'] || spec['type'] === 'ExternalName') return service
  const address = addresses.nextService()
  return { ...service, spec: { ...spec, clusterIP: address, clusterIPs: [address] } }
}

interface PodTemplate {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: Readonly<Record<string, unknown>>
}

/** One pod for each workload that has none. */
function workloadPods(objects: readonly KubeObject[], pods: readonly KubeObject[], addresses: Addresses): KubeObject[] {
  return objects.flatMap((object) => {
    if (!WORKLOADS.has(object.kind)) return []
    const template = fieldsOf(fieldsOf(object.spec)['template'])
    const metadata = fieldsOf(template['metadata'])
    const labels = textsOf(metadata['labels'])
    const namespace = object.metadata.namespace ?? ''
    if (pods.some((pod) => pod.metadata.namespace === namespace && selects(labels, pod.metadata.labels ?? {}))) return []
    const annotations = textsOf(metadata['annotations'])
    return [podOf({ name: object.metadata.name, namespace, labels, annotations, spec: fieldsOf(template['spec']) }, addresses)]
  })
}

/** One pod for each selector of a Gateway that selects none: its gateway is installed by other means. */
function gatewayPods(objects: readonly KubeObject[], pods: readonly KubeObject[], addresses: Addresses): KubeObject[] {
  const made = new Map<string, KubeObject>()
  for (const object of objects) {
    if (object.kind !== 'Gateway' || !object.apiVersion.startsWith('networking.istio.io/')) continue
    const selector = textsOf(fieldsOf(object.spec)['selector'])
    const key = JSON.stringify(Object.entries(selector).sort())
    const known = [...pods, ...objects.filter(({ kind }) => WORKLOADS.has(kind))].some((one) => selects(selector, labelsOf(one)))
    if (Object.keys(selector).length === 0 || known || made.has(key)) continue
    const name = `istio-${selector['istio'] ?? selector['app'] ?? object.metadata.name}`
    const annotations = { 'inject.istio.io/templates': 'gateway' }
    made.set(key, podOf({ name, namespace: 'istio-system', labels: selector, annotations, spec: {} }, addresses))
  }
  return [...made.values()]
}

/** As the usual Service of a gateway: 80 and 443 lead to ports for which no privilege is needed, others to themselves. */
function gatewayService({ metadata }: KubeObject, objects: readonly KubeObject[]): KubeObject {
  const { name, namespace = '', labels = {} } = metadata
  const numbers = objects
    .filter(({ kind }) => kind === 'Gateway')
    .flatMap(({ spec }) => listOf(fieldsOf(spec)['servers']))
    .map((server) => fieldsOf(fieldsOf(server)['port'])['number'])
    .filter((port) => typeof port === 'number')
  const targets = new Map([
    [80, 8080],
    [443, 8443],
    ...numbers.filter((port) => port !== 80 && port !== 443).map((port) => [port, port] as const),
  ])
  const ports = [...targets].map(([port, targetPort]) => ({ name: `tcp-${port}`, port, targetPort, protocol: 'TCP' }))
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec: { type: 'LoadBalancer', selector: labels, ports },
  }
}

const labelsOf = (object: KubeObject): Readonly<Record<string, string>> =>
  object.kind === 'Pod'
    ? (object.metadata.labels ?? {})
    : textsOf(fieldsOf(fieldsOf(fieldsOf(object.spec)['template'])['metadata'])['labels'])

function podOf({ name, namespace, labels, annotations, spec }: PodTemplate, addresses: Addresses): KubeObject {
  const address = addresses.nextPod()
  const injected = (labels['sidecar.istio.io/inject'] ?? annotations['sidecar.istio.io/inject']) !== 'false'
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { ...labels, ...(injected && { 'security.istio.io/tlsMode': 'istio' }) }, annotations },
    spec: { serviceAccountName: 'default', ...spec, containers: containersOf(spec, annotations, injected) },
    status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function containersOf(
  spec: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>>,
  injected: boolean,
): readonly unknown[] {
  const own = listOf(spec['containers'])
  const router = annotations['inject.istio.io/templates']?.split(',').includes('gateway') === true
  const others = router ? own.filter((container) => fieldsOf(container)['name'] !== 'istio-proxy') : own
  return injected ? [...others, { name: 'istio-proxy', args: ['proxy', router ? 'router' : 'sidecar'] }] : others
}

const selects = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)

/** The endpoints of a service: all pods that it selects, ready. */
function endpointSlice(service: KubeObject, pods: readonly KubeObject[]): KubeObject[] {
  const spec = fieldsOf(service.spec)
  const selector = textsOf(spec['selector'])
  const { namespace = '', name } = service.metadata
  if (Object.keys(selector).length === 0) return []
  const selected = pods.filter((pod) => pod.metadata.namespace === namespace && selects(selector, pod.metadata.labels ?? {}))
  if (selected.length === 0) return []
  const ports = listOf(spec['ports']).map((entry) => {
    const port = fieldsOf(entry)
    return { name: textOf(port['name']), port: targetPort(port, selected), protocol: textOf(port['protocol']) || 'TCP' }
  })
  return [
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports,
      endpoints: selected.map((pod) => ({
        addresses: [textOf(fieldsOf(pod.status)['podIP'])],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', name: pod.metadata.name, namespace },
      })),
    },
  ]
}

/** The number of a target port; a name is looked up in the containers. */
function targetPort(port: Readonly<Record<string, unknown>>, pods: readonly KubeObject[]): unknown {
  const target = port['targetPort'] ?? port['port']
  if (typeof target === 'number') return target
  const named = pods
    .flatMap((pod) => listOf(fieldsOf(pod.spec)['containers']))
    .flatMap((container) => listOf(fieldsOf(container)['ports']))
    .find((entry) => fieldsOf(entry)['name'] === target)
  return fieldsOf(named)['containerPort'] ?? port['port']
}

interface Wanted {
  readonly name: string
  readonly namespace: string
  readonly ports: Set<number>
}

/** Services of the cluster's domain that routes lead to and that are not there; with port 80 where no route says which. */
function missingServices(objects: readonly KubeObject[]): KubeObject[] {
  const there = new Set(objects.filter(isService).map(keyOf))
  const entries = new Set(
    objects.filter(({ kind }) => kind === 'ServiceEntry').flatMap(({ spec }) => listOf(fieldsOf(spec)['hosts']).map(textOf)),
  )
  const wanted = new Map<string, Wanted>()
  for (const object of objects) {
    if (object.kind !== 'VirtualService') continue
    for (const { host, port } of destinationsOf(object)) {
      const service = serviceOfHost(host, object.metadata.namespace ?? '')
      if (!service || there.has(`${service.namespace}/${service.name}`) || entries.has(host)) continue
      const key = `${service.namespace}/${service.name}`
      const known = wanted.get(key) ?? { ...service, ports: new Set<number>() }
      if (port !== undefined) known.ports.add(port)
      wanted.set(key, known)
    }
  }
  return [...wanted.values()].map(({ name, namespace, ports }) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      ports: (ports.size > 0 ? [...ports] : [80]).map((port) => ({ name: `http-${port}`, port, targetPort: port, protocol: 'TCP' })),
    },
  }))
}

function destinationsOf(object: KubeObject): { readonly host: string; readonly port: number | undefined }[] {
  const spec = fieldsOf(object.spec)
  const routes = ['http', 'tcp', 'tls'].flatMap((kind) => listOf(spec[kind])).map(fieldsOf)
  return routes
    .flatMap((route) => [...listOf(route['route']).map((entry) => fieldsOf(entry)['destination']), route['mirror']])
    .map(fieldsOf)
    .flatMap((destination) => {
      const port = fieldsOf(destination['port'])['number']
      const host = textOf(destination['host'])
      return host === '' ? [] : [{ host, port: typeof port === 'number' ? port : undefined }]
    })
}

/** `reviews`, `reviews.shop`, `reviews.shop.svc`, `reviews.shop.svc.cluster.local`; undefined for names of other domains. */
function serviceOfHost(host: string, namespace: string): { readonly name: string; readonly namespace: string } | undefined {
  const [name = '', second, third, ...domain] = host.split('.')
  if (name === '' || name === '*') return undefined
  if (second === undefined) return { name, namespace }
  if (third === 'svc' && (domain.length === 0 || domain.join('.') === 'cluster.local')) return { name, namespace: second }
  return undefined
}
