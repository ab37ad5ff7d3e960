/**
 * Services: what a client can name. Made from Kubernetes Services and from ServiceEntries (one for each host), which look alike
 * from here on.
 */
import type { ObjectRef } from '@lateen/base'
import type { Protocol } from './protocol.ts'
import type { Visibility } from './visibility.ts'

/**
 * How a client finds the endpoints.
 * - `static`: the control plane sends them
 * - `dns`, `dns-round-robin`: the proxy resolves the endpoints' (or the host's) names
 * - `dynamic-dns`: the proxy resolves the name that each request or connection asks for
 * - `passthrough`: the address that the application dialled is kept (headless services, ServiceEntry `NONE`)
 * - `alias`: another name of a service (ExternalName)
 */
export type Resolution = 'static' | 'dns' | 'dns-round-robin' | 'dynamic-dns' | 'passthrough' | 'alias'

/** Endpoints of the client's own zone, or of its own node, before others. */
export type TrafficDistribution = 'PreferSameZone' | 'PreferSameNode'

export interface ServicePort {
  readonly name: string
  readonly number: number
  readonly protocol: Protocol
  /** Number or name of the container's port; the port itself when absent. */
  readonly target: number | string
}

export interface Service {
  /** Unique over all services: the object's kind, namespace and name, and the host for ServiceEntries. */
  readonly key: string
  readonly host: string
  readonly namespace: string
  /** The Kubernetes service's name; the host for a ServiceEntry. */
  readonly name: string
  readonly resolution: Resolution
  /** Not part of the mesh: no mutual TLS by itself. */
  readonly external: boolean
  /** Addresses that clients dial, IPv4 before IPv6; CIDR ranges of ServiceEntries too. Empty: any address. */
  readonly addresses: readonly string[]
  /** Addresses given by the control plane to a ServiceEntry without one, for DNS capture; IPv4 before IPv6. */
  readonly autoAddresses: readonly string[]
  readonly ports: readonly ServicePort[]
  readonly visibility: Visibility
  readonly labels: Readonly<Record<string, string>>
  /** Labels of the workloads behind it; absent when endpoints are listed. */
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly headless: boolean
  /** Endpoints that are not ready are used too. */
  readonly publishNotReady: boolean
  readonly externalName: string | undefined
  /** `Local`: only endpoints on the client's own node. */
  readonly internalTrafficPolicy: 'Cluster' | 'Local'
  /** Which endpoints are used first, where no rule says. */
  readonly trafficDistribution: TrafficDistribution | undefined
  /** Identities or names accepted of its servers, besides what the endpoints say. */
  readonly subjectAltNames: readonly string[]
  /** Addresses of the endpoints that a ServiceEntry lists itself. */
  readonly listed: readonly string[]
  /** RFC 3339; the older of two that claim the same host wins. */
  readonly created: string
  readonly origin: ObjectRef
}

/** The port of a service by number; where one number serves bytes and datagrams apart, that for bytes. */
export function portOf(service: Service, number: number): ServicePort | undefined {
  const same = service.ports.filter((port) => port.number === number)
  return same.find((port) => port.protocol !== 'udp') ?? same[0]
}

/** One way to dial a service's port: what listeners are made from. */
export interface ServiceAddress {
  readonly service: Service
  readonly port: ServicePort
}
