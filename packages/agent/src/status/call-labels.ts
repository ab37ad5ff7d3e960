/** Istio's labels of a call, from the record that Envoy keeps of it and from what the agent knows of its own workload. */
import {
  type CallSide,
  END_FIELDS,
  NO_REVISION,
  PEER_FIELDS,
  PEER_PARTS,
  type Peer,
  RECORD_SEPARATOR,
  REQUEST_FIELDS,
  type RecordField,
} from '@lateen/base/call-record'
import { isObject } from '../settings/environment.ts'
import { type NodeInfo, nodeInfo } from '../settings/node-metadata.ts'
import type { AgentSettings } from '../settings/settings.ts'

/** What Istio writes where it knows nothing. */
const UNKNOWN = 'unknown'

/** Labels in Istio's order. */
export type CallLabels = readonly (readonly [name: string, value: string])[]

/** The workload of this proxy. */
export function ownPeer(settings: AgentSettings): Peer {
  const { metadata }: NodeInfo = nodeInfo(settings)
  const labels = isObject(metadata.LABELS) ? metadata.LABELS : {}
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return {
    workload: text(metadata.WORKLOAD_NAME) || UNKNOWN,
    namespace: settings.namespace,
    service: text(labels['service.istio.io/canonical-name']) || UNKNOWN,
    revision: text(labels['service.istio.io/canonical-revision']) || NO_REVISION,
    cluster: settings.clusterId,
    app: text(labels.app) || UNKNOWN,
    version: text(labels.version) || UNKNOWN,
  }
}

/** The labels of one record. Fields that a record lacks count as not known: other versions may write fewer. */
export function callLabels(side: CallSide, record: string, own: Peer): CallLabels {
  const call = readRecord(side, record)
  const [source, destination] = side === 'outbound' ? [own, endpointPeer(call)] : [callerPeer(call), own]
  const [sourcePrincipal, destinationPrincipal] =
    side === 'outbound' ? [call.localPrincipal, call.peerPrincipal] : [call.peerPrincipal, call.localPrincipal]
  const service = side === 'outbound' ? outboundService(call, destination) : inboundService(call, own)
  return [
    ['reporter', side === 'outbound' ? 'source' : 'destination'],
    ['source_workload', source.workload],
    ['source_canonical_service', source.service],
    ['source_canonical_revision', source.revision],
    ['source_workload_namespace', source.namespace],
    ['source_principal', firstOf(sourcePrincipal) || UNKNOWN],
    ['source_app', source.app],
    ['source_version', source.version],
    ['source_cluster', source.cluster],
    ['destination_workload', destination.workload],
    ['destination_workload_namespace', destination.namespace],
    ['destination_principal', firstOf(destinationPrincipal) || UNKNOWN],
    ['destination_app', destination.app],
    ['destination_version', destination.version],
    ['destination_service', service.host],
    ['destination_canonical_service', destination.service],
    ['destination_canonical_revision', destination.revision],
    ['destination_service_name', service.name],
    ['destination_service_namespace', destination.namespace],
    ['destination_cluster', destination.cluster],
    ...endLabels(side, call),
  ]
}

type Call = Partial<Readonly<Record<RecordField, string>>>

function readRecord(side: CallSide, record: string): Call {
  const fields: readonly RecordField[] = [...PEER_FIELDS[side], ...END_FIELDS, ...REQUEST_FIELDS]
  const values = record.split(RECORD_SEPARATOR, fields.length)
  return Object.fromEntries(values.map((value, index) => [fields[index], value]))
}

/** How the call ended. Connections have no code. */
function endLabels(side: CallSide, { flags, code, grpcStatus = '', isGrpc, localPrincipal, peerPrincipal }: Call): CallLabels {
  if (flags === undefined) return []
  const policy = side === 'outbound' ? UNKNOWN : localPrincipal && peerPrincipal ? 'mutual_tls' : 'none'
  const security = [
    ['response_flags', flags || '-'],
    ['connection_security_policy', policy],
  ] as const
  if (code === undefined) return [['request_protocol', 'tcp'], ...security]
  return [
    ['request_protocol', isGrpc === 'true' ? 'grpc' : 'http'],
    ['response_code', code],
    ['grpc_response_status', isGrpc === 'true' ? grpcStatus : ''],
    ...security,
  ]
}

/** Parts of an endpoint that every control plane tells. */
const ISTIO_PARTS = 5

function endpointPeer({ endpoint = '', peerPrincipal }: Call): Peer {
  const told = endpoint.split(';')
  const [, , service = '', revision = ''] = told
  const parts = told.length > ISTIO_PARTS ? told : [...told, service, revision === NO_REVISION ? '' : revision]
  return peerOf(Object.fromEntries(PEER_PARTS.map((part, index) => [part, parts[index] ?? ''])), peerPrincipal)
}

/** Where the CA of the mesh writes which part: organizational units of the subject, `OU=wl.cart`. */
const UNITS: Readonly<Record<string, keyof Peer>> = {
  wl: 'workload',
  ns: 'namespace',
  cs: 'service',
  ver: 'revision',
  cl: 'cluster',
  app: 'app',
  av: 'version',
}

function callerPeer({ subject = '', peerPrincipal }: Call): Peer {
  const parts: Partial<Record<keyof Peer, string>> = {}
  // What stands after an escaped comma is within a value that its owner may have chosen.
  for (const [, unit = '', value = ''] of subject.matchAll(/(?:^|(?<!\\)[,+])OU=([a-z]{2,3})\.([A-Za-z0-9._-]+)/g)) {
    const part = UNITS[unit]
    if (part) parts[part] ??= value
  }
  return peerOf(parts, peerPrincipal)
}

/** What is not known of a peer is said so; the namespace that its identity names is the one that is proven. */
function peerOf(parts: Partial<Record<keyof Peer, string>>, principal: string | undefined): Peer {
  const namespace = /\/ns\/([^/]*)/.exec(firstOf(principal))?.[1]
  return {
    workload: parts.workload || UNKNOWN,
    namespace: namespace || parts.namespace || UNKNOWN,
    service: parts.service || UNKNOWN,
    revision: parts.revision || NO_REVISION,
    cluster: parts.cluster || UNKNOWN,
    app: parts.app || UNKNOWN,
    version: parts.version || UNKNOWN,
  }
}

/** A certificate may hold several names; the first is its own. */
const firstOf = (principals = ''): string => principals.split(',', 1)[0] ?? ''

interface NamedService {
  readonly host: string
  readonly name: string
}

/** Clusters of services are called `outbound|80|v1|cart.shop.svc.cluster.local`; the others are called what they are for. */
function outboundService({ service, cluster = '' }: Call, destination: Peer): NamedService {
  const [direction, , , host] = cluster.split(/\||_\./)
  if (host && direction?.startsWith('outbound')) return { host, name: serviceName(host) }
  return { host: UNKNOWN, name: service || cluster || destination.service }
}

function inboundService({ service = '' }: Call, own: Peer): NamedService {
  if (service.includes('.')) return { host: service, name: serviceName(service) }
  return { host: own.service, name: service || own.service }
}

/** Of a Service its own name, of a host outside the cluster all of it. */
const serviceName = (host: string): string => /^([^.]+)\.[^.]+\.svc\./.exec(host)?.[1] ?? host
