/** What the control plane says of each proxy: `/debug/syncz` of every replica, as one list. */
import { compareText } from '@lateen/base'
import type { Answer } from '../../cluster/istiod.ts'
import { at, list, text } from '../../config-dump/fields.ts'

export interface TypeState {
  /** `CDS`, `LDS`, … */
  readonly type: string
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

/** Sorted by cluster and proxy. An answer that is no list of proxies counts as empty. */
export function readSyncStatus(answers: readonly Answer[]): ProxyState[] {
  return answers
    .flatMap(({ istiod, revision, body }) => list(parse(body)).map((entry) => stateOf(entry, istiod, revision)))
    .sort((a, b) => compareText(a.cluster, b.cluster) || compareText(a.proxy, b.proxy))
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return []
  }
}

function stateOf(entry: unknown, istiod: string, revision: string): ProxyState {
  return {
    proxy: text(at(entry, 'proxy')),
    cluster: text(at(entry, 'cluster_id')),
    istiod,
    version: text(at(entry, 'istio_version')) || text(at(entry, 'proxy_version')),
    revision,
    types: list(at(entry, 'types')).length > 0 ? list(at(entry, 'types')).map(typeState) : nonceStates(entry),
  }
}

function typeState(entry: unknown): TypeState {
  const url = text(at(entry, 'type_url')).replace(/^type\.googleapis\.com\//, '')
  const [sentAt, error] = [text(at(entry, 'sent_at')), text(at(entry, 'error'))]
  return { type: SHORT[url] ?? url, state: text(at(entry, 'state')), ...(sentAt ? { sentAt } : {}), ...(error ? { error } : {}) }
}

const NONCES = [
  ['CDS', 'cluster'],
  ['LDS', 'listener'],
  ['EDS', 'endpoint'],
  ['RDS', 'route'],
  ['ECDS', 'extensionconfig'],
] as const

/** A control plane that tells nonces alone, as Istio's. */
function nonceStates(entry: unknown): TypeState[] {
  return NONCES.map(([type, field]) => {
    const [sent, acked] = [text(at(entry, `${field}_sent`)), text(at(entry, `${field}_acked`))]
    return { type, state: sent === '' ? 'NOT SENT' : sent === acked ? 'SYNCED' : acked === '' ? 'STALE (Never Acknowledged)' : 'STALE' }
  })
}
