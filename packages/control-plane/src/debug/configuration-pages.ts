/** Pages about the configuration in force. */
import { KINDS, type KubeObject, refOf, splitApiVersion } from '@lateen/api'
import { type Diagnostic, formatDiagnostic, isRecord, objectName } from '@lateen/base'
import { MESH_KINDS } from '@lateen/config'
import type { DebugContext } from './debug-context.ts'

const isConfig = ({ apiVersion, kind }: KubeObject): boolean =>
  apiVersion.includes('.istio.io/') || apiVersion.startsWith('gateway.networking.k8s.io/') || kind === 'Ingress'

/** Configuration objects, as they were written. */
export const configz = ({ source }: DebugContext): unknown => [...source().objects()].filter(isConfig)

/** Kinds that are watched. */
export function resourcesz(): unknown {
  return MESH_KINDS.map(({ type }) => ({ group: type.group, version: type.version, kind: type.kind }))
}

/** What is wrong with the configuration: by code, then by object. */
export function pushStatus({ diagnostics }: DebugContext): unknown {
  const byCode = Map.groupBy(diagnostics(), ({ code }) => code)
  return Object.fromEntries([...byCode].map(([code, found]) => [code, Object.fromEntries(found.map(entryOf))]))
}

const entryOf = (diagnostic: Diagnostic): [string, unknown] => [
  `${objectName(diagnostic.object)}${diagnostic.path ? ` ${diagnostic.path}` : ''}`,
  { message: diagnostic.message, severity: diagnostic.severity },
]

/** The same, object by object, in words. */
export const diagnosticz = ({ diagnostics }: DebugContext): unknown =>
  diagnostics().map((item) => ({ ...item, text: formatDiagnostic(item) }))

function byNamespace<T>(context: DebugContext, kind: string, shape: (object: KubeObject) => T): Record<string, T[]> {
  const objects = [...context.source().objects()].filter((object) => object.kind === kind && isOwnKind(object))
  const groups = Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? '')
  return Object.fromEntries([...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([namespace, found]) => [namespace, found.map(shape)]))
}

const isOwnKind = ({ apiVersion, kind }: KubeObject): boolean => {
  const { group } = splitApiVersion(apiVersion)
  return KINDS.some((known) => known.kind === kind && known.group === group)
}

/** AuthorizationPolicies by namespace. */
export function authorizationz(context: DebugContext): unknown {
  return { authorization_policies: authorizationPolicies(context) }
}

const authorizationPolicies = (context: DebugContext) => ({
  namespace_to_policies: byNamespace(context, 'AuthorizationPolicy', (object) => ({
    name: object.metadata.name,
    namespace: object.metadata.namespace ?? '',
    annotations: object.metadata.annotations ?? {},
    spec: object.spec,
  })),
  root_namespace: context.rootNamespace(),
})

/** Telemetry objects by namespace. */
export function telemetryz(context: DebugContext): unknown {
  return {
    telemetries: {
      namespaceToTelemetries: byNamespace(context, 'Telemetry', (object) => ({ ...refOf(object), spec: object.spec })),
      rootNamespace: context.rootNamespace(),
    },
  }
}

/** What all proxies share. */
export function pushcontext(context: DebugContext): unknown {
  return { AuthorizationPolicies: authorizationPolicies(context), NetworkGateways: networkz(context), UnresolvedGateways: null }
}

/** Gateways of networks that the mesh networks name by their address. */
export function networkz({ mesh }: DebugContext): unknown[] {
  const networks = fieldOf(mesh().networks, 'networks')
  return Object.entries(isRecord(networks) ? networks : {}).flatMap(([network, entry]) => {
    const gateways = fieldOf(entry, 'gateways')
    return (Array.isArray(gateways) ? gateways : []).map((gateway) => ({
      Network: network,
      Addr: fieldOf(gateway, 'address') ?? fieldOf(gateway, 'registryServiceName') ?? '',
      Port: fieldOf(gateway, 'port') ?? 0,
    }))
  })
}

const fieldOf = (value: unknown, name: string): unknown => (isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined)

/** Clusters whose services are in the mesh. */
export function clusterz({ clusterId, source }: DebugContext): unknown {
  const synced = source()
    .status()
    .every(({ state }) => state === 'watching' || state === 'unavailable' || state === 'synced')
  return [{ id: clusterId, syncStatus: synced ? 'synced' : 'syncing' }]
}
