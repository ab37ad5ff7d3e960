/** At which addresses a Gateway can be reached: those of the services that lead to it, as far as they have its ports and endpoints. */
import type { KubeObject } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import type { EndpointFamily } from '../endpoints.ts'
import type { GatewayServices } from '../gateway-api/listeners.ts'
import type { Problem } from '../gateway-api/problem.ts'
import type { Inputs } from '../inputs.ts'
import { portOf, type Service } from '../service.ts'
import type { ServiceSpec, ServiceStatus } from '../views.ts'

export interface AddressSources {
  readonly inputs: Inputs
  readonly services: Source<Service>
  readonly serviceEntries: Source<Service>
  readonly endpoints: EndpointFamily
}

export interface GatewayReach {
  /** `host:port` of services that lead to the Gateway. */
  readonly assigned: readonly string[]
  /** What to tell callers: IP addresses and names of load balancers, else the hosts of services. */
  readonly addresses: readonly string[]
  readonly problem: Problem | undefined
}

export interface ReachInput {
  readonly namespace: string
  readonly gateway: GatewayServices
  readonly ports: readonly number[]
}

/** The service for a Gateway is made by the mesh, so that endpoints for a port that it lacks are yet to come. */
const MANAGED_LABEL = 'gateway.istio.io/managed'

export function reachOf(context: Context, sources: AddressSources, { namespace, gateway, ports }: ReachInput): GatewayReach {
  const found = { assigned: new Set<string>(), external: new Set<string>(), pending: new Set<string>(), warnings: new Set<string>() }
  let unusable = false
  for (const host of gateway.services) {
    const service = serviceAt(context, sources, host, namespace)
    if (!service) {
      found.warnings.add(absence(context, sources, host, namespace))
      unusable = true
      continue
    }
    for (const port of new Set(ports)) {
      if (hasEndpoints(context, sources, service, port)) {
        found.assigned.add(`${host}:${port}`)
        const external = externalAddresses(context, sources, service)
        for (const address of external ?? []) found.external.add(address)
        if (external?.length !== 0) continue
        found.pending.add(host)
        found.warnings.add(`the load balancer of service ${host} has no address yet`)
        continue
      }
      const why = whyNone(context, sources, service, port)
      if (!why) continue
      found.warnings.add(why.message)
      if (why.isWrong) unusable = true
    }
  }
  const assigned = [...found.assigned].sort()
  const inside = [...new Set(assigned.map((text) => text.slice(0, text.lastIndexOf(':'))))].filter((host) => !found.pending.has(host))
  return {
    assigned,
    addresses: found.external.size > 0 ? [...found.external].sort() : inside,
    problem: problemOf(assigned, [...found.warnings].sort(), unusable),
  }
}

function problemOf(assigned: readonly string[], warnings: readonly string[], unusable: boolean): Problem | undefined {
  if (warnings.length === 0) return undefined
  const kept = assigned.length > 0 ? `reached through ${assigned.join(', ')}, but not through all that is asked for` : 'cannot be reached'
  return { reason: unusable ? 'AddressNotUsable' : 'AddressNotAssigned', message: `${kept}: ${warnings.join('; ')}` }
}

const named = (context: Context, { services, serviceEntries }: AddressSources, host: string): readonly Service[] => [
  ...context.list(services, 'host', host),
  ...context.list(serviceEntries, 'host', host),
]

const serviceAt = (context: Context, sources: AddressSources, host: string, namespace: string): Service | undefined =>
  named(context, sources, host).find((service) => service.namespace === namespace)

function absence(context: Context, sources: AddressSources, host: string, namespace: string): string {
  const elsewhere = named(context, sources, host).map((service) => service.namespace)
  if (elsewhere.length === 0) return `there is no service ${host}`
  return `service ${host} is not in the Gateway's namespace ${namespace} but in ${[...new Set(elsewhere)].sort().join(', ')}`
}

function hasEndpoints(context: Context, { endpoints }: AddressSources, service: Service, port: number): boolean {
  return (
    portOf(service, port) !== undefined && context.read(endpoints, `${service.key}|${port}`).some(({ health }) => health !== 'unhealthy')
  )
}

/** Why a service has no endpoint for a port; nothing where one is sure to come. */
function whyNone(
  context: Context,
  sources: AddressSources,
  service: Service,
  port: number,
): { readonly message: string; readonly isWrong: boolean } | undefined {
  const all = service.ports.map(({ number }) => ({
    number,
    endpoints: context.read(sources.endpoints, `${service.key}|${number}`).filter(({ health }) => health !== 'unhealthy'),
  }))
  if (all.every(({ endpoints }) => endpoints.length === 0))
    return { message: `service ${service.host} has no endpoint that is ready`, isWrong: false }
  const meant = all.filter(({ endpoints }) => endpoints.some((endpoint) => endpoint.port === port)).map(({ number }) => number)
  if (meant.length > 0) {
    const hint = `${port} is the workload's port; listeners name the service's, here ${meant.join(' or ')}`
    return { message: `service ${service.host} has no port ${port} (${hint})`, isWrong: true }
  }
  if (MANAGED_LABEL in service.labels) return undefined
  return { message: `service ${service.host} has no port ${port}`, isWrong: true }
}

/** Addresses outside the cluster; undefined for services that are not meant to have any. */
function externalAddresses(context: Context, { inputs }: AddressSources, service: Service): readonly string[] | undefined {
  if (service.origin.kind !== 'Service') return undefined
  const object = context.get(inputs.kinds['core/Service'], `${service.namespace}/${service.name}`)
  if (!object) return undefined
  const addresses = loadBalancerAddresses(object)
  return addresses.length > 0 || (object.spec as ServiceSpec | undefined)?.type === 'LoadBalancer' ? addresses : undefined
}

/** What callers outside the cluster dial to reach a Service. */
export function loadBalancerAddresses({ spec, status }: KubeObject): readonly string[] {
  const { externalIPs = [] } = (spec ?? {}) as ServiceSpec
  const { loadBalancer } = (status ?? {}) as ServiceStatus
  return [...(loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip || hostname || []), ...externalIPs]
}
