/** Pages about connected proxies, in the shapes of istiod's. */

import { hasLabels } from '@lateen/api'
import { isAnsweredLater, TYPE_URL } from '@lateen/envoy'
import type { Service } from '@lateen/model'
import type { ConnectionStatus, TypeStatus } from '@lateen/xds'
import type { DebugContext } from './debug-context.ts'

const SYNC_FIELDS = {
  cluster: TYPE_URL.CDS,
  listener: TYPE_URL.LDS,
  route: TYPE_URL.RDS,
  endpoint: TYPE_URL.EDS,
  extensionconfig: TYPE_URL.ECDS,
} as const

/** `pod.namespace` of a proxy. */
export const proxyName = ({ node }: Pick<ConnectionStatus, 'node'>): string => node.id.split('~')[2] ?? node.id

/** The connections, by proxy; of one proxy when its name, its node's id or its connection's is given. */
export function connectionsOf({ connections }: DebugContext, proxyId: string | null): ConnectionStatus[] {
  return connections()
    .filter((connection) => !proxyId || [proxyName(connection), connection.node.id, connection.id].includes(proxyId))
    .sort((a, b) => (proxyName(a) < proxyName(b) ? -1 : 1))
}

/** What each proxy was sent and has taken. */
export function syncz(context: DebugContext, query: URLSearchParams): unknown {
  const namespace = query.get('namespace')
  return connectionsOf(context, query.get('proxyID'))
    .filter((connection) => !namespace || proxyName(connection).endsWith(`.${namespace}`))
    .map((connection) => syncStatus(connection, context.clusterId))
}

/** What Envoy asks for, without what its agent asks for itself on the same stream: tools compare these types with Envoy's. */
export function proxysOwn(types: readonly TypeStatus[]): TypeStatus[] {
  return types.filter(({ typeUrl }) => !isAnsweredLater(typeUrl))
}

function syncStatus(connection: ConnectionStatus, clusterId: string): Record<string, unknown> {
  const { node, types } = connection
  const nonces = Object.entries(SYNC_FIELDS).flatMap(([field, typeUrl]) => {
    const type = types.find((candidate) => candidate.typeUrl === typeUrl)
    return type ? [[`${field}_sent`, type.nonceSent] as const, [`${field}_acked`, type.nonceAcked] as const] : []
  })
  const resources = proxysOwn(types).map(({ typeUrl, nonceSent, nonceAcked, sentAt, error }) => [
    typeUrl,
    {
      ...(nonceSent && { sent: nonceSent }),
      ...(nonceAcked && { acked: nonceAcked }),
      ...(sentAt > 0 && { sentTime: new Date(sentAt).toISOString() }),
      ...(error && { lastError: error }),
    },
  ])
  return {
    cluster_id: textOf(node.metadata.CLUSTER_ID) || clusterId,
    proxy: proxyName(connection),
    proxy_type: node.id.split('~')[0],
    istio_version: textOf(node.metadata.ISTIO_VERSION),
    ...Object.fromEntries(nonces.filter(([, nonce]) => nonce !== '')),
    resources: Object.fromEntries(resources),
  }
}

/** Connected proxies, with what they said of themselves and subscribe to. */
export function adsz(context: DebugContext, query: URLSearchParams): unknown {
  const found = connectionsOf(context, query.get('proxyID'))
  return {
    totalClients: found.length,
    clients: found.map((connection) => ({
      ...client(connection),
      identities: connection.identities,
      labels: connection.node.metadata.LABELS,
      metadata: connection.node.metadata,
      locality: connection.node.locality,
      watches: Object.fromEntries(connection.types.map(({ typeUrl, names }) => [typeUrl, [...names]])),
    })),
  }
}

/** Connected proxies. */
export function connections(context: DebugContext): unknown {
  const found = connectionsOf(context, null)
  return { totalClients: found.length, clients: found.map(client) }
}

const client = ({ id, connectedAt, address }: ConnectionStatus) => ({
  connectionId: id,
  connectedAt: new Date(connectedAt).toISOString(),
  address,
})

/** The services' ports that each proxy serves. */
export function instancesz(context: DebugContext): unknown {
  const services = context.inspect()?.services() ?? []
  return Object.fromEntries(
    connectionsOf(context, null).map((connection) => [proxyName(connection), services.flatMap((service) => targets(service, connection))]),
  )
}

function targets(service: Service, connection: ConnectionStatus): unknown[] {
  const labels = textMap(connection.node.metadata.LABELS)
  const { selector, namespace, host } = service
  if (!selector || !proxyName(connection).endsWith(`.${namespace}`) || !hasLabels(labels, selector)) return []
  return service.ports.map(({ name, number, protocol, target }) => ({
    Service: { hostname: host, Attributes: { Name: service.name, Namespace: namespace } },
    Port: { name, port: number, protocol: protocol.toUpperCase(), TargetPort: target },
  }))
}

/**
 * Which proxies have an object in force: `?resource=networking.istio.io/VirtualService/shop/cart`. A proxy has it when it took
 * everything that follows from the configuration, of which the object is part in the generation that is told.
 */
export function configDistribution(context: DebugContext, query: URLSearchParams): unknown {
  const [group = '', kind = '', namespace = '', name = ''] = (query.get('resource') ?? '').split('/')
  const object = context.inspect()?.object(`${group}/${kind}`, namespace, name)
  return {
    resource: `${group}/${kind}/${namespace}/${name}`,
    inForce: object !== undefined,
    generation: object?.metadata.generation ?? 0,
    proxies: connectionsOf(context, query.get('proxyID')).map((connection) => ({
      proxy: proxyName(connection),
      state: stateOf(connection),
    })),
  }
}

function stateOf({ types, settled }: ConnectionStatus): 'SYNCED' | 'STALE' | 'REJECTED' {
  if (types.some(({ error }) => error !== '')) return 'REJECTED'
  return settled ? 'SYNCED' : 'STALE'
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const textMap = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(typeof value === 'object' && value !== null ? value : {}).map(([key, text]) => [key, textOf(text)]))
