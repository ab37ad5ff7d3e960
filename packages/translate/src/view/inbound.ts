/** Incoming traffic on the graph: what of a workload its listeners depend on, and the resources made from that. */

import type { ConnectionPoolSettings, IstioIngressListener, KubeObject } from '@lateen/api'
import { ownValue } from '@lateen/base'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import {
  type EffectivePeerPolicy,
  type EndpointSliceView,
  effectiveRule,
  familiesOf,
  inboundPort,
  type MeshModel,
  type MeshProxy,
  modeOfPort,
  type ProxyTraffic,
  parseProtocol,
  peerPolicyOf,
  type Service,
  type ServicePort,
  selects,
  settingsOf,
  sidecarFor,
  trafficOf,
} from '@lateen/model'
import { NO_POLICIES, type PolicyFilters } from '../builders/filter-order.ts'
import { type ApplicationEndpoint, type InboundInput, type InboundPort, inboundListeners } from '../builders/inbound.ts'
import { inboundClusters } from '../builders/inbound-clusters.ts'
import { policyOf } from '../builders/traffic-policy.ts'
import { equalParts, type Part, partOf } from '../resource.ts'
import { type PolicyKeys, policyFilters, policyKeysOf } from './policies.ts'

/** Everything that incoming traffic depends on, but for the mesh settings and what policies say. */
export interface InboundScope extends Omit<InboundInput, 'settings' | 'filters'> {
  readonly policies: PolicyKeys
  readonly traffic: ProxyTraffic
}

export interface Inbound {
  readonly scopeOf: Family<Interned<MeshProxy>, Interned<InboundScope>>
  readonly listeners: Family<Interned<InboundScope>, Part>
  readonly clusters: Family<Interned<InboundScope>, Part>
}

/** A port of a service that a workload serves, and the port on which it does. */
export interface ServedPort {
  readonly service: Service
  readonly port: ServicePort
  readonly target: number
}

export function createInbound(graph: Graph, model: MeshModel): Inbound {
  const scopeOf = new Family<Interned<MeshProxy>, Interned<InboundScope>>('inboundScope', (context, key) => {
    const proxy = key.value
    const policy = peerPolicyOf(context, model.inputs, model.peerPolicies, proxy.namespace, proxy.labels)
    const settings = settingsOf(context, model.inputs)
    const sidecar = sidecarFor(context, model.inputs, model.sidecars, proxy.namespace, proxy.labels)?.spec
    const served = new Map<number, InboundPort>()
    for (const { service, port, target } of servedPorts(context, model, proxy)) {
      if (port.protocol === 'udp') continue
      const { host, name, namespace, origin } = service
      const entry = { host, name, namespace, origin: { kind: origin.kind } }
      const known = served.get(target)
      // Two services may call one port by different protocols: the first's holds, as in Istio.
      if (known) served.set(target, { ...known, services: [...known.services, entry] })
      else
        served.set(target, {
          port: target,
          servicePort: port.number,
          portName: port.name,
          protocol: port.protocol,
          mode: modeOfPort(policy, target),
          services: [entry],
          pool: sidecar?.inboundConnectionPool ?? ownPool(context, model, proxy.namespace, service, port.number),
        })
    }
    const ingress = sidecar?.ingress ?? []
    // A Sidecar's ingress listeners stand in place of the services' ports. Without capture nothing else can be listened on: the
    // application has the services' ports itself.
    const captured = proxy.interceptionMode !== 'NONE'
    const instead = ingress.length > 0 && !settings.switches.mergesIngress
    const ports = instead || !captured ? new Map<number, InboundPort>() : new Map(served)
    for (const listener of ingress) {
      const entry = ingressPort(listener, proxy, policy, { served, pool: listener.connectionPool ?? sidecar?.inboundConnectionPool })
      if (entry && !ports.get(entry.port)?.ingress) ports.set(entry.port, entry)
    }
    // What is sent to the proxy's own port leads nowhere.
    ports.delete(inboundPort(settings.mesh))
    const policyPorts = Object.entries(policy.ports)
      .map(([port, mode]) => ({ port: Number(port), mode }))
      .filter(({ port }) => !ports.has(port) && port !== inboundPort(settings.mesh))
      .sort((a, b) => a.port - b.port)
    return graph.intern<InboundScope>({
      ports: [...ports.values()].sort((a, b) => a.port - b.port),
      policyPorts,
      mode: policy.mode,
      socketMark: proxy.socketMark,
      captured,
      transparent: proxy.interceptionMode === 'TPROXY',
      families: familiesOf(proxy.addresses),
      traffic: trafficOf(proxy, settings),
      policies: policyKeysOf(context, model, proxy),
    })
  })
  const input = (context: Context, scope: InboundScope, filters: PolicyFilters): InboundInput => ({
    ...scope,
    settings: { ...settingsOf(context, model.inputs), traffic: scope.traffic },
    filters,
  })
  return {
    scopeOf,
    listeners: new Family(
      'inboundListeners',
      (context, { value }) => partOf(inboundListeners(input(context, value, policyFilters(context, model, value.policies, 'inbound')))),
      {
        equal: equalParts,
      },
    ),
    clusters: new Family('inboundClusters', (context, scope) => partOf(inboundClusters(input(context, scope.value, NO_POLICIES))), {
      equal: equalParts,
    }),
  }
}

/** Limits that a DestinationRule for the workload's own service sets: the server must allow what its clients may ask for. */
function ownPool(
  context: Context,
  model: MeshModel,
  client: string,
  { host, namespace }: Service,
  port: number,
): ConnectionPoolSettings | undefined {
  const rule = effectiveRule(context, model.inputs, model.destinationRules, { client, host, namespace, selected: [] })
  return rule && policyOf(rule, '', port).connectionPool
}

/** A port as an ingress listener of a Sidecar describes it; undefined for one without a port. */
function ingressPort(
  listener: IstioIngressListener,
  proxy: MeshProxy,
  policy: EffectivePeerPolicy,
  { served, pool }: { readonly served: ReadonlyMap<number, InboundPort>; readonly pool: ConnectionPoolSettings | undefined },
): InboundPort | undefined {
  const port = listener.port?.number
  if (!port) return undefined
  return {
    port,
    servicePort: port,
    portName: listener.port?.name ?? '',
    protocol: parseProtocol(listener.port?.protocol ?? ''),
    mode: modeOfPort(policy, port),
    services: served.get(port)?.services ?? [],
    pool,
    ingress: {
      bind: listener.bind || (proxy.addresses[0] ?? '0.0.0.0'),
      bound: proxy.interceptionMode === 'NONE' || listener.captureMode === 'NONE',
      endpoint: applicationEndpoint(listener.defaultEndpoint ?? '', proxy),
      tls: listener.tls,
    },
  }
}

/** `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080` (the pod's own address) or `unix:///path`. */
function applicationEndpoint(text: string, proxy: MeshProxy): ApplicationEndpoint | undefined {
  if (text.startsWith('unix://')) return { path: text.slice('unix://'.length) }
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  if (colon < 0 || !(port > 0)) return undefined
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '')
  const own =
    host === '0.0.0.0'
      ? proxy.addresses.find((address) => !address.includes(':'))
      : host === '::'
        ? proxy.addresses.find((address) => address.includes(':'))
        : undefined
  if (own !== undefined) return { address: own, port, ownAddress: true }
  return { address: host, port, ownAddress: false }
}

/**
 * The services that have an endpoint at one of a proxy's addresses, oldest first, with the port behind each of their ports. A
 * workload whose endpoints are not published yet is found by the services' selectors.
 */
export function servedPorts(context: Context, model: MeshModel, proxy: MeshProxy): ServedPort[] {
  const found = new Map<string, ServedPort>()
  // One number may serve bytes and datagrams apart.
  const id = (service: Service, port: ServicePort) => `${service.key}|${port.number}${port.protocol === 'udp' ? '/udp' : ''}`
  const add = (service: Service, port: ServicePort, target: number | undefined) => {
    if (target !== undefined) found.set(id(service, port), { service, port, target })
  }
  for (const address of proxy.addresses) {
    for (const slice of context.list(model.inputs.kinds['discovery.k8s.io/EndpointSlice'], 'address', address)) {
      const view = slice as KubeObject & EndpointSliceView
      const name = slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''
      const service = context.get(model.kubernetesServices, `Service/${slice.metadata.namespace ?? ''}/${name}`)
      for (const port of service?.ports ?? []) {
        const target = view.ports?.find((candidate) => (candidate.name ?? '') === port.name)?.port
        if (service) add(service, port, target)
      }
    }
  }
  for (const address of proxy.addresses) {
    for (const service of context.list(model.serviceEntries, 'endpoint', address)) {
      for (const port of service.ports) add(service, port, Number(port.target))
    }
  }
  const workload = context.get(model.pods, `${proxy.namespace}/${proxy.name}`)
  const named = (target: number | string) => (typeof target === 'number' ? target : workload && ownValue(workload.ports, target))
  // A workload outside Kubernetes: its entry has its labels, and says which port stands for which of the service's.
  const entries = proxy.addresses
    .flatMap((address) => [...context.list(model.workloadEntries, 'address', address)])
    .filter(({ namespace }) => namespace === proxy.namespace)
  const listed = ({ name }: ServicePort) => entries.map(({ ports }) => ownValue(ports, name)).find((port) => port !== undefined)
  const selecting = [
    ...context.list(model.kubernetesServices, 'selecting', proxy.namespace),
    ...context.list(model.serviceEntries, 'selecting', proxy.namespace),
  ]
  for (const service of selecting) {
    const { selector } = service
    if (!selector || ![proxy, ...entries].some(({ labels }) => selects(selector, labels))) continue
    for (const port of service.ports) if (!found.has(id(service, port))) add(service, port, listed(port) ?? named(port.target))
  }
  // Another namespace's service cannot speak for this workload, even with an endpoint at its address.
  return [...found.values()]
    .filter(({ service }) => service.namespace === proxy.namespace)
    .sort((a, b) => order(a.service, b.service) || a.port.number - b.port.number)
}

function order(a: Service, b: Service): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}
