/** A proxy as it introduced itself: what of its node the translation may depend on. */

import type { MeshProxyConfig } from '@lateen/api'
import { isRecord } from '@lateen/base'
import { type Locality, NOWHERE, parseLocality } from './endpoint.ts'

export type ProxyType = 'sidecar' | 'router' | 'waypoint' | 'ztunnel'

export interface MeshProxy {
  readonly type: ProxyType
  /** `pod.namespace`. */
  readonly id: string
  readonly name: string
  readonly namespace: string
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly cluster: string
  readonly network: string
  readonly locality: Locality
  /** `shop.svc.cluster.local`. */
  readonly dnsDomain: string
  readonly interceptionMode: 'REDIRECT' | 'TPROXY' | 'NONE'
  /** The agent answers DNS and wants addresses for names without one. */
  readonly dnsCapture: boolean
  /** Whether it wants addresses for hosts that have none; undefined where it leaves that to the control plane. */
  readonly dnsAutoAllocate: boolean | undefined
  /** Virtual hosts can be sent apart from their route configuration. */
  readonly vhds: boolean
  /** Sockets of the proxy carry this mark, where its user id cannot tell them apart (single-user namespaces). */
  readonly socketMark: number | undefined
  /** Each new connection goes to the worker that has the fewest. */
  readonly exactBalance: { readonly inbound: boolean; readonly outbound: boolean }
  /** HTTP/1.0 is taken too. */
  readonly http10: boolean
  /** How long connections may be idle, as a Go duration; undefined for Envoy's own hour. */
  readonly idleTimeout: string | undefined
  /** Port of a listener that is an HTTP proxy; undefined for the mesh's. */
  readonly httpProxyPort: number | undefined
  /** Ports of the proxy's own listeners, for its health and its metrics. */
  readonly ownPorts: readonly number[]
  /** A gateway without privileges cannot listen below 1024. */
  readonly unprivileged: boolean
  /** The proxy's own settings, as its agent sent them; undefined where the mesh's defaults hold. */
  readonly proxyConfig: MeshProxyConfig | undefined
}

export interface NodeView {
  readonly id: string
  readonly cluster: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string }
}

/** Why a node cannot be served; the text goes back to the proxy. */
export class NodeRefused extends Error {
  readonly code = 'NODE_REFUSED'
}

const TYPES: readonly string[] = ['sidecar', 'router', 'waypoint', 'ztunnel']

/**
 * Reads a node: `type~ip~pod.namespace~domain` and its metadata.
 *
 * @throws NodeRefused when the id has not that form
 */
export function proxyOf(node: NodeView, options: { readonly vhds: boolean }): MeshProxy {
  const [type = '', ip = '', id = '', domain = '', ...rest] = node.id.split('~')
  if (!isType(type) || !id || !domain || rest.length > 0) {
    throw new NodeRefused(`node id "${node.id.slice(0, 200)}": expected type~ip~name.namespace~domain with type one of ${TYPES.join(', ')}`)
  }
  const { metadata } = node
  const dot = id.lastIndexOf('.')
  const addresses = text(metadata['INSTANCE_IPS'])
    .split(',')
    .filter((address) => address !== '')
  const labels = texts(metadata['LABELS'])
  const interception = text(metadata['INTERCEPTION_MODE'])
  const label = labels['istio-locality']
  const mark = Number(text(metadata['LATEEN_PROXY_MARK']))
  return {
    type,
    id,
    name: dot < 0 ? id : id.slice(0, dot),
    namespace: text(metadata['NAMESPACE']) || (dot < 0 ? '' : id.slice(dot + 1)),
    addresses: addresses.length > 0 ? addresses : ip ? [ip] : [],
    labels,
    serviceAccount: text(metadata['SERVICE_ACCOUNT']),
    cluster: text(metadata['CLUSTER_ID']),
    network: text(metadata['NETWORK']) || (labels['topology.istio.io/network'] ?? ''),
    locality: node.locality.region
      ? { region: node.locality.region, zone: node.locality.zone, subzone: node.locality.subZone }
      : label
        ? parseLocality(label)
        : NOWHERE,
    dnsDomain: domain,
    interceptionMode: interception === 'TPROXY' || interception === 'NONE' ? interception : 'REDIRECT',
    dnsCapture: truthy(metadata['DNS_CAPTURE']),
    dnsAutoAllocate: metadata['DNS_AUTO_ALLOCATE'] === undefined ? undefined : truthy(metadata['DNS_AUTO_ALLOCATE']),
    vhds: options.vhds,
    socketMark: mark > 0 ? mark : undefined,
    exactBalance: {
      inbound: truthy(metadata['INBOUND_LISTENER_EXACT_BALANCE']),
      outbound: truthy(metadata['OUTBOUND_LISTENER_EXACT_BALANCE']),
    },
    http10: truthy(metadata['HTTP10']),
    idleTimeout: text(metadata['IDLE_TIMEOUT']) || undefined,
    httpProxyPort: portOf(metadata['HTTP_PROXY_PORT']),
    ownPorts: [metadata['ENVOY_STATUS_PORT'], metadata['ENVOY_PROMETHEUS_PORT']].flatMap((port) => portOf(port) ?? []),
    unprivileged: truthy(metadata['UNPRIVILEGED_POD']),
    proxyConfig: isRecord(metadata['PROXY_CONFIG']) ? (metadata['PROXY_CONFIG'] as MeshProxyConfig) : undefined,
  }
}

/** A port, written as a number or as text. */
function portOf(value: unknown): number | undefined {
  const port = Number(value)
  return value !== undefined && Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined
}

const isType = (type: string): type is ProxyType => TYPES.includes(type)
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const truthy = (value: unknown): boolean => value === true || value === 'true' || value === '1'

function texts(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).flatMap(([key, entry]) => (typeof entry === 'string' ? [[key, entry] as const] : [])))
}
