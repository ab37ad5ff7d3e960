/** Endpoints: where a service's requests can go. */

export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subzone: string
}

export const NOWHERE: Locality = { region: '', zone: '', subzone: '' }

/** `region/zone/subzone`, without trailing empty parts. */
export function localityText(locality: Locality): string {
  return [locality.region, locality.zone, locality.subzone].join('/').replace(/\/+$/, '')
}

/** Reads `region/zone/subzone`, dots allowed instead of slashes (labels cannot hold slashes). */
export function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.includes('/') ? text.split('/') : text.split('.')
  return { region, zone, subzone }
}

export type Health = 'healthy' | 'unhealthy' | 'draining'

export interface Endpoint {
  /** IP address, host name (DNS resolution) or unix socket path (`unix:///…`). */
  readonly address: string
  /** The same host's addresses of the other family. */
  readonly otherAddresses: readonly string[]
  readonly port: number
  readonly health: Health
  readonly labels: Readonly<Record<string, string>>
  readonly locality: Locality
  readonly network: string
  readonly weight: number
  /** What the workload can take: `istio` when a sidecar terminates mutual TLS, empty for plain text. */
  readonly tlsMode: string
  readonly namespace: string
  readonly serviceAccount: string
  readonly workload: string
  readonly node: string
  readonly cluster: string
  /** The name of its own that it has below its headless service; empty for none. */
  readonly hostname: string
}

/** Labels that say where an endpoint or a client is; they are known of each, whatever its own labels say. */
export function placeLabel(name: string, place: Place): string | undefined {
  switch (name) {
    case 'topology.kubernetes.io/region':
      return place.locality.region || undefined
    case 'topology.kubernetes.io/zone':
      return place.locality.zone || undefined
    case 'topology.istio.io/subzone':
      return place.locality.subzone || undefined
    case 'topology.istio.io/network':
      return place.network || undefined
    case 'topology.istio.io/cluster':
      return place.cluster || undefined
    case 'kubernetes.io/hostname':
      return place.node || undefined
    default:
      return undefined
  }
}

export interface Place {
  readonly locality: Locality
  readonly network: string
  readonly cluster: string
  readonly node: string
}

/** A label of an endpoint, or what is known of its place by that name. */
export const endpointLabel = (endpoint: Endpoint, name: string): string | undefined => placeLabel(name, endpoint) ?? endpoint.labels[name]

/** Whether an endpoint has every one of a subset's labels. */
export const inSubset = (endpoint: Endpoint, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(labels).every(([name, value]) => endpointLabel(endpoint, name) === value)
