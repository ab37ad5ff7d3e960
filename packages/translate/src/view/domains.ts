/**
 * Which virtual host of a route configuration has a name. Envoy refuses a configuration in which two have it, so each is given to one:
 * to whom it is written as a host (a service or a VirtualService), else to whom it is short for, else to the pods that bear it.
 */
import { type Context, Family } from '@lateen/graph'
import { isHttp, portOf, type Service, type ServicePort, visibleTo } from '@lateen/model'
import { domainOf, type NameQuery, serviceNames } from '../builders/virtual-hosts.ts'
import { isOrphanHost, type OrphanQuery } from './orphan-hosts.ts'
import type { OutboundBase } from './outbound-base.ts'
import { holdsAddress, mayBeShort, serviceFor } from './scope.ts'

/** Who asks for the names of services. */
export interface DomainQuery extends OrphanQuery, NameQuery {}

export interface Domains {
  /** The names that a service has on a port, as Envoy writes them. */
  of(context: Context, query: DomainQuery, service: Service, port: ServicePort): string[]
  /** Other names of a service (`ExternalName`) that nothing else has on a port. */
  aliasesOf(context: Context, query: DomainQuery, service: Service, port: ServicePort): readonly Service[]
}

/** A port whose requests are in the route configuration that all services of the port number share. */
export const inPortRoutes = (service: Service, port: ServicePort): boolean =>
  isHttp(port.protocol) || (port.protocol === 'auto' && service.addresses.length === 0)

export function createDomains(base: OutboundBase): Domains {
  const { model, settings } = base
  /** Hosts that something else may be called by: nearly always none, so that services depend on nothing but that. */
  const contested = new Family<'', ReadonlySet<string>>(
    'contestedHosts',
    (context) => {
      const hosts = [...context.texts(model.serviceEntries, 'host'), ...context.texts(model.virtualServices, 'host')]
      return new Set(hosts.filter(mayBeShort))
    },
    { equal: (a, b) => a.size === b.size && [...a].every((host) => b.has(host)) },
  )

  /** Whether a service other than this one has a host for its own on a port. */
  const isServed = (context: Context, query: DomainQuery, { key }: Service, port: ServicePort, host: string): boolean => {
    const other = serviceFor(context, model, query, host, port.number)
    const served = other && other.key !== key ? portOf(other, port.number) : undefined
    return other !== undefined && served !== undefined && inPortRoutes(other, served)
  }

  const isFree = (context: Context, query: DomainQuery, service: Service, port: ServicePort, name: string): boolean =>
    name === service.host ||
    !context.read(contested, '').has(name) ||
    !(isServed(context, query, service, port, name) || isOrphanHost(base, context, query, name, port.number))

  const aliasesOf: Domains['aliasesOf'] = (context, query, service, port) =>
    context
      .list(model.kubernetesServices, 'alias', service.host)
      .filter((alias) => visibleTo(alias.visibility, query.client) && !isServed(context, query, alias, port, alias.host))

  return {
    of: (context, query, service, port) => {
      const { own, pods, addresses } = serviceNames(service, query, settings(context))
      const free = (name: string) => isFree(context, query, service, port, name)
      const rivals = (other: Service, candidate: ServicePort) => candidate.number === port.number && inPortRoutes(other, candidate)
      return [
        ...own.filter(free),
        // A service for all pods has their names, short ones too.
        ...(pods[0] !== undefined && free(pods[0]) ? pods.filter(free) : []),
        ...addresses.filter((address) => holdsAddress(context, model, query, service, address, rivals) && free(address)).map(domainOf),
      ]
    },
    aliasesOf,
  }
}
