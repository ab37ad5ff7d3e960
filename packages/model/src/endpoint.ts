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
}
