/** What the control plane says of each proxy: `/debug/syncz` of every replica, as one list. */
import { compareText } from '@lateen/base'
import type { Answer } from '../../cluster/istiod.ts'
import { at, fields, list, text } from '../../config-dump/fields.ts'

export interface TypeState {
  /** `CDS`, `LDS`, … */
  readonly type: string
  readonly typeUrl: string
  /** `SYNCED`, `STALE`, `STALE (Never Acknowledged)` or `NOT SENT`. */
  readonly state: string
  /** When the last answer was sent to the proxy. */
  readonly sentAt?: string
  /** Why the proxy refused it. */
  readonly error?: string
}

export interface ProxyState {
  readonly proxy: string
  readonly cluster: string
  readonly istiod: string
  readonly version: string
  readonly revision: string
  readonly types: readonly TypeState[]
}

/** Envoy's names of the discovery services. */
const SHORT: Readonly<Record<string, string>> = {
  'envoy.config.cluster.v3.Cluster': 'CDS',
  'envoy.config.listener.v3.Listener': 'LDS',
  'envoy.config.endpoint.v3.ClusterLoadAssignment': 'EDS',
  'envoy.config.route.v3.RouteConfiguration': 'RDS',
  'envoy.config.route.v3.VirtualHost': 'VHDS',
  'envoy.config.core.v3.TypedExtensionConfig': 'ECDS',
  'envoy.extensions.transport_sockets.tls.v3.Secret': 'SDS',
  'istio.networking.nds.v1.NameTable': 'NDS',
  'istio.mesh.v1alpha1.ProxyConfig': 'PCDS',
  'istio.workload.Address': 'WDS',
  'istio.security.Authorization': 'WADS',
}

/** Sorted by proxy. An answer that is no list of proxies counts as empty. */
export function readSyncStatus(answers: readonly Answer[]): ProxyState[] {
  return answers
    .flatMap(({ istiod, revision, body }) => list(parse(body)).map((entry) => stateOf(entry, istiod, revision)))
    .sort((a, b) => compareText(a.proxy, b.proxy) || compareText(a.cluster, b.cluster))
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return []
  }
}

function stateOf(entry: unknown, istiod: string, revision: string): ProxyState {
  const resources = resourceStates(entry)
  return {
    proxy: text(at(entry, 'proxy')),
    cluster: text(at(entry, 'cluster_id')),
    istiod,
    version: text(at(entry, 'istio_version')) || text(at(entry, 'proxy_version')),
    revision,
    types: resources.length > 0 ? resources : nonceStates(entry),
  }
}

/** The order of istioctl's columns; what is not among them follows in the order of its name. */
const ORDER = ['CDS', 'LDS', 'EDS', 'RDS', 'ECDS']

function resourceStates(entry: unknown): TypeState[] {
  const states = Object.entries(fields(at(entry, 'resources'))).map(([typeUrl, resource]) => typeState(typeUrl, resource))
  const rank = ({ type }: TypeState) => (ORDER.indexOf(type) + ORDER.length + 1) % (ORDER.length + 1)
  return states.sort((a, b) => rank(a) - rank(b) || compareText(a.type, b.type))
}

function typeState(typeUrl: string, resource: unknown): TypeState {
  const url = typeUrl.replace(/^type\.googleapis\.com\//, '')
  const [sent, acked, sentAt, error] = ['sent', 'acked', 'sentTime', 'lastError'].map((name) => text(at(resource, name)))
  const state = error ? 'STALE' : syncState(sent ?? '', acked ?? '')
  // Go writes a time that never was as the year 1.
  const was = sentAt && !sentAt.startsWith('0001-')
  return {
    type: SHORT[url] ?? url.slice(url.lastIndexOf('.') + 1),
    typeUrl,
    state,
    ...(was ? { sentAt } : {}),
    ...(error ? { error } : {}),
  }
}

function syncState(sent: string, acked: string): string {
  if (sent === '') return 'NOT SENT'
  return sent === acked ? 'SYNCED' : acked === '' ? 'STALE (Never Acknowledged)' : 'STALE'
}

const NONCES = [
  ['CDS', 'cluster'],
  ['LDS', 'listener'],
  ['EDS', 'endpoint'],
  ['RDS', 'route'],
  ['ECDS', 'extensionconfig'],
] as const

/** A control plane that tells nonces alone, as older ones of Istio's: what was never sent was not asked for. */
function nonceStates(entry: unknown): TypeState[] {
  return NONCES.flatMap(([type, field]) => {
    const [sent, acked] = [text(at(entry, `${field}_sent`)), text(at(entry, `${field}_acked`))]
    const typeUrl = Object.keys(SHORT).find((name) => SHORT[name] === type) ?? type
    return sent === '' ? [] : [{ type, typeUrl: `type.googleapis.com/${typeUrl}`, state: syncState(sent, acked) }]
  })
}
