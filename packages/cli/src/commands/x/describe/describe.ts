/** What `x describe pod` and `x describe service` share: services and their rules, then the gateways that lead to them. */
import { hasLabels, type KubeObject, type Pod, RESOURCE_TYPES, type ResourceType, type Service } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import type { Cluster } from '../../../cluster/connect.ts'
import { proxyAdmin } from '../../../cluster/envoy-admin.ts'
import { type ConfigDump, readConfigDump } from '../../../config-dump/dump.ts'
import type { Flag } from '../../../shell/command.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { meshSettingsOfCluster } from '../../analyze/mesh-settings.ts'
import { PROXY_ADMIN_PORT } from '../../proxy-config/source.ts'
import { enforcedPolicies, NOTHING } from '../authz/policies.ts'
import { serviceLines } from './pod-text.ts'
import { destinationRuleOf, virtualServicesOf } from './port-rules.ts'
import {
  type Destination,
  type DestinationRule,
  destinationRuleLines,
  type Naming,
  NO_SUBSETS,
  subsetsOf,
  type VirtualService,
  virtualServiceLines,
} from './rule-text.ts'

export const DESCRIBE_FLAGS: readonly Flag[] = [
  { name: 'ignoreUnmeshed', help: 'no warnings about pods that are not in the mesh' },
  PROXY_ADMIN_PORT,
  ...KUBE_FLAGS,
]

export const RULE = '--------------------'

/** `name`, with `.namespace` where that is not the user's. */
export function namingIn(namespace: string): Naming {
  return {
    name: ({ metadata }) => (metadata.namespace === namespace ? metadata.name : `${metadata.name}.${metadata.namespace ?? ''}`),
    suffix: 'svc.cluster.local',
  }
}

/** The namespace whose policies hold for the whole mesh. */
export async function rootNamespace({ client, istioNamespace }: Cluster, revision: string): Promise<string> {
  const { meshConfig } = await meshSettingsOfCluster(client, istioNamespace, revision)
  return meshConfig?.rootNamespace || istioNamespace
}

/** What a proxy has. @throws CommandError when it does not answer */
export async function dumpOf(cluster: Cluster, pod: string, adminPort?: number): Promise<ConfigDump> {
  const admin = await proxyAdmin(cluster, pod, adminPort)
  return readConfigDump(await admin.ask('GET', 'config_dump'), `pod ${admin.pod}`)
}

export interface Described {
  readonly pod: Pod
  readonly services: readonly Service[]
  /** Of all the pods that count as the destination. */
  readonly labels: readonly Readonly<Record<string, string>>[]
}

/** Each service with the rules that the pod's proxy has for its ports. */
export async function describedServices(cluster: Cluster, described: Described, dump: ConfigDump, naming: Naming): Promise<string[]> {
  const blocks = await Promise.all(
    described.services.map(async (service) => [
      ...serviceLines(service, described.pod, naming.name),
      ...(await portLines(cluster, service, { described, dump, naming })),
    ]),
  )
  return blocks.flatMap((lines, index) => (index === 0 ? lines : [RULE, ...lines]))
}

interface View {
  readonly described: Described
  readonly dump: ConfigDump
  readonly naming: Naming
}

const hostOf = ({ metadata }: KubeObject, { suffix }: Naming): string => `${metadata.name}.${metadata.namespace}.${suffix}`

async function portLines(cluster: Cluster, service: Service, view: View): Promise<string[]> {
  const ports = service.spec?.ports ?? []
  const enforced = enforcedPolicies(view.dump).filter(({ policy }) => policy !== NOTHING)
  const policies = [...new Set(enforced.map(({ policy }) => policy))]
  const lines: string[] = []
  for (const { port } of ports) {
    const rules = await rulesOfPort(cluster, { host: hostOf(service, view.naming), port }, view)
    const indent = ports.length > 1 ? '   ' : ''
    if (ports.length > 1) lines.push(`${port}:`)
    lines.push(...rules.lines.map((line) => `${indent}${line}`))
  }
  if (policies.length > 0) lines.push(`RBAC policies: ${policies.join(', ')}`)
  return lines
}

async function rulesOfPort(
  cluster: Cluster,
  service: { readonly host: string; readonly port: number },
  { described, dump, naming }: View,
): Promise<{ readonly lines: readonly string[]; readonly virtualServices: readonly VirtualService[]; readonly destination: Destination }> {
  const ruleName = destinationRuleOf(dump, service)
  const rule = ruleName === undefined ? undefined : await find<DestinationRule>(cluster, RESOURCE_TYPES.DestinationRule, ruleName)
  const destination: Destination = { host: service.host, rule, subsets: rule ? subsetsOf(rule, described.labels) : NO_SUBSETS }
  const names = virtualServicesOf(dump, service)
  const found = await Promise.all(names.map((name) => find<VirtualService>(cluster, RESOURCE_TYPES.VirtualService, name)))
  const virtualServices = found.filter((each) => each !== undefined)
  return {
    destination,
    virtualServices,
    lines: [
      ...(rule ? destinationRuleLines(rule, described.labels, naming) : []),
      ...(ruleName !== undefined && !rule ? [`WARNING: Proxy is stale; it references to non-existent destination rule ${ruleName}`] : []),
      ...found.flatMap((each, index) =>
        each
          ? virtualServiceLines(each, destination, naming)
          : [`WARNING: Proxy is stale; it references to non-existent virtual service ${names[index]}`],
      ),
    ],
  }
}

/** An object by `name.namespace`; undefined when it is not there. */
async function find<T extends KubeObject>({ client }: Cluster, type: ResourceType, reference: string): Promise<T | undefined> {
  const dot = reference.lastIndexOf('.')
  try {
    return await client.get<T>(type, reference.slice(dot + 1), reference.slice(0, dot))
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

interface GatewayPods {
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
}

/** Where the services are reached from outside: each gateway's address, with the VirtualService that leads there. */
export async function gatewayLines(cluster: Cluster, described: Described, naming: Naming): Promise<string[]> {
  const gateways = await gatewayPods(cluster)
  if (gateways.pods.length === 0) return ['Skipping Gateway information (no ingress gateway pods)']
  if (gateways.services.length === 0) return ['Skipping Gateway information (no ingress gateway service)']
  const seen = new Set<string>()
  const lines: string[] = []
  for (const pod of gateways.pods) {
    const dump = await dumpOf(cluster, `${pod.metadata.name}.${pod.metadata.namespace}`).catch((error: unknown) => {
      lines.push(`WARNING: ${error instanceof Error ? error.message : String(error)}`)
    })
    if (!dump) continue
    for (const service of described.services) {
      for (const { port } of service.spec?.ports ?? []) {
        const { virtualServices, destination } = await rulesOfPort(
          cluster,
          { host: hostOf(service, naming), port },
          { described, dump, naming },
        )
        for (const each of virtualServices) lines.push(...(await exposedLines(cluster, each, { destination, gateways, seen, naming })))
      }
    }
  }
  return lines
}

async function gatewayPods({ client }: Cluster): Promise<GatewayPods> {
  const { items } = await client.list<Pod>(RESOURCE_TYPES.Pod, {
    labelSelector: 'istio=ingressgateway',
    fieldSelector: 'status.phase=Running',
  })
  const namespaces = [...new Set(items.map(({ metadata }) => metadata.namespace ?? ''))]
  const lists = await Promise.all(namespaces.map((namespace) => client.list<Service>(RESOURCE_TYPES.Service, { namespace })))
  const services = lists
    .flatMap((list) => list.items)
    .filter(({ spec, metadata }) => {
      const selector = spec?.selector ?? {}
      return (
        Object.keys(selector).length > 0 &&
        items.some((pod) => pod.metadata.namespace === metadata.namespace && hasLabels(pod.metadata.labels ?? {}, selector))
      )
    })
  return { pods: items, services }
}

interface Exposure {
  readonly destination: Destination
  readonly gateways: GatewayPods
  /** Gateways that were spoken of. */
  readonly seen: Set<string>
  readonly naming: Naming
}

async function exposedLines(cluster: Cluster, service: VirtualService, exposure: Exposure): Promise<string[]> {
  const { destination, gateways, seen, naming } = exposure
  const lines: string[] = []
  for (const reference of service.spec?.gateways ?? []) {
    const [namespace = '', name] = reference.includes('/') ? reference.split('/') : [service.metadata.namespace ?? '', reference]
    const id = `${naming.name(service)} ${namespace}/${name}`
    if (!name || name === 'mesh' || seen.has(id)) continue
    seen.add(id)
    const gateway = await find<KubeObject<{ readonly selector?: Readonly<Record<string, string>> }>>(
      cluster,
      RESOURCE_TYPES.Gateway,
      `${name}.${namespace}`,
    )
    if (!gateway) lines.push(`WARNING: Proxy is stale; it references to non-existent gateway ${namespace}/${name}`)
    else {
      const addresses = addressLines(gateway.spec?.selector ?? {}, gateways)
      if (addresses.length > 0) lines.push(RULE, ...addresses, ...virtualServiceLines(service, destination, naming))
    }
  }
  return lines
}

const SHOWN_PORTS = new Set(['http', 'http2'])

function addressLines(selector: Readonly<Record<string, string>>, { pods, services }: GatewayPods): string[] {
  const lines = services.flatMap((service) => {
    const own = pods.filter(
      ({ metadata }) => metadata.namespace === service.metadata.namespace && hasLabels(metadata.labels ?? {}, service.spec?.selector ?? {}),
    )
    if (!own.some(({ metadata }) => hasLabels(metadata.labels ?? {}, selector))) return []
    const ingress = service.status?.loadBalancer?.ingress?.[0]
    const address = ingress?.ip ?? ingress?.hostname ?? own[0]?.status?.hostIP ?? 'unknown'
    return (service.spec?.ports ?? [])
      .filter(({ name = '', protocol = 'TCP' }) => protocol === 'TCP' && SHOWN_PORTS.has(name))
      .map(({ port }) => `Exposed on Ingress Gateway http://${address}${port === 80 ? '' : `:${port}`}`)
  })
  return lines.sort()
}
