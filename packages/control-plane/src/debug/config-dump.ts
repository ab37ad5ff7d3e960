/** What a proxy is sent, in the shape of Envoy's own `/config_dump`. Secrets are shown without their keys. */
import { type DescMessage, fromBinary, type JsonObject, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import { TYPE_URL } from '@lateen/envoy'
import type { OpenSession } from '../xds/mesh-source.ts'

const DUMPS = [
  { typeUrl: TYPE_URL.CDS, dump: 'ClustersConfigDump', list: 'dynamicActiveClusters', field: 'cluster' },
  { typeUrl: TYPE_URL.LDS, dump: 'ListenersConfigDump', list: 'dynamicListeners', field: 'listener' },
  { typeUrl: TYPE_URL.RDS, dump: 'RoutesConfigDump', list: 'dynamicRouteConfigs', field: 'routeConfig' },
  { typeUrl: TYPE_URL.EDS, dump: 'EndpointsConfigDump', list: 'dynamicEndpointConfigs', field: 'endpointConfig' },
] as const

/** `{configs: [...]}` with clusters, listeners, routes and endpoints. */
export async function configDump(session: OpenSession): Promise<unknown> {
  const registry = await loadRegistry()
  const configs = DUMPS.map(({ typeUrl, dump, list, field }) => ({
    '@type': `type.googleapis.com/envoy.admin.v3.${dump}`,
    [list]: resourcesOf(session, typeUrl, registry).map(({ name, version, value }) => {
      const entry = { [field]: withType(typeUrl, value), version_info: version }
      return typeUrl === TYPE_URL.LDS ? { name, active_state: entry } : entry
    }),
  }))
  return { configs }
}

/** As Envoy shows them: virtual hosts that were sent apart stand in the route configurations that they belong to. */
function withVirtualHosts(routes: readonly Decoded[], virtualHosts: readonly Decoded[]): Decoded[] {
  // Named `<route configuration>/<virtual host>`; route configurations have no slash in their names.
  const byRoutes = Map.groupBy(virtualHosts, ({ name }) => name.slice(0, name.indexOf('/')))
  return routes.map((entry) => {
    const own = byRoutes.get(entry.name)
    if (!own || !isObject(entry.value)) return entry
    const { vhds: _, virtual_hosts: inline, ...rest } = entry.value
    return { ...entry, value: { ...rest, virtual_hosts: [...(Array.isArray(inline) ? inline : []), ...own.map(({ value }) => value)] } }
  })
}

const isObject = (value: JsonValue): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** All resources of one type. */
export function typeDump(typeUrl: string): (session: OpenSession) => Promise<unknown> {
  return async (session) => decodeAll(session, typeUrl, await loadRegistry()).map(({ value }) => value)
}

/** Every generated message: large, and only wanted when somebody looks. */
async function loadRegistry(): Promise<Registry> {
  const { envoyRegistry } = await import('@lateen/envoy/registry')
  return envoyRegistry()
}

function resourcesOf(session: OpenSession, typeUrl: string, registry: Registry): Decoded[] {
  const own = decodeAll(session, typeUrl, registry)
  return typeUrl === TYPE_URL.RDS ? withVirtualHosts(own, decodeAll(session, TYPE_URL.VHDS, registry)) : own
}

interface Decoded {
  readonly name: string
  readonly version: string
  readonly value: JsonValue
}

function withType(typeUrl: string, value: JsonValue): JsonValue {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { '@type': typeUrl, ...value } : value
}

function decodeAll(session: OpenSession, typeUrl: string, registry: Registry): Decoded[] {
  const schema = registry.getMessage(typeUrl.slice(typeUrl.indexOf('/') + 1))
  if (!schema) return []
  return session
    .resources(typeUrl)
    .parts.flatMap((part) =>
      [...part.values()].map(({ name, version, bytes }) => ({ name, version, value: decode(schema, bytes, registry) })),
    )
}

function decode(schema: DescMessage, bytes: Uint8Array, registry: Registry): JsonValue {
  return toJson(schema, fromBinary(schema, bytes), { registry, useProtoFieldName: true })
}
