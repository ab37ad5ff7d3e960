/** What a proxy is sent, in the shape of Envoy's own `/config_dump`. Secrets are shown without their keys. */
import { type DescMessage, fromBinary, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import { TYPE_URL } from '@lateen/envoy'
import type { OpenSession } from '../xds/mesh-source.ts'

const DUMPS = [
  { typeUrl: TYPE_URL.CDS, dump: 'ClustersConfigDump', list: 'dynamicActiveClusters', field: 'cluster' },
  { typeUrl: TYPE_URL.LDS, dump: 'ListenersConfigDump', list: 'dynamicListeners', field: 'listener' },
  { typeUrl: TYPE_URL.RDS, dump: 'RoutesConfigDump', list: 'dynamicRouteConfigs', field: 'routeConfig' },
  { typeUrl: TYPE_URL.EDS, dump: 'EndpointsConfigDump', list: 'dynamicEndpointConfigs', field: 'endpointConfig' },
] as const

/** `{configs: [...]}` with clusters, listeners, routes and endpoints; virtual hosts sent apart from their routes come as well. */
export async function configDump(session: OpenSession): Promise<unknown> {
  const registry = await loadRegistry()
  const configs = DUMPS.map(({ typeUrl, dump, list, field }) => ({
    '@type': `type.googleapis.com/envoy.admin.v3.${dump}`,
    [list]: decodeAll(session, typeUrl, registry).map(({ name, version, value }) => {
      const entry = { [field]: withType(typeUrl, value), version_info: version }
      return typeUrl === TYPE_URL.LDS ? { name, active_state: entry } : entry
    }),
  }))
  const virtualHosts = decodeAll(session, TYPE_URL.VHDS, registry).map(({ name, version, value }) => ({
    name,
    version_info: version,
    virtual_host: value,
  }))
  return { configs, ...(virtualHosts.length > 0 ? { virtual_hosts: virtualHosts } : {}) }
}

/** All resources of one type. */
export function typeDump(typeUrl: string): (session: OpenSession) => Promise<unknown> {
  return async (session) => decodeAll(session, typeUrl, await loadRegistry()).map(({ value }) => value)
}

/** Every generated message: large, and only wanted when somebody looks. */
async function loadRegistry(): Promise<Registry> {
  const { envoyRegistry } = await import('@lateen/envoy/registry')
  return envoyRegistry()
}

function withType(typeUrl: string, value: JsonValue): JsonValue {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { '@type': typeUrl, ...value } : value
}

function decodeAll(session: OpenSession, typeUrl: string, registry: Registry): { name: string; version: string; value: JsonValue }[] {
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
