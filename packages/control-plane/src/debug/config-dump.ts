/**
 * What a proxy is sent, in the shape of Envoy's own `/config_dump`, from the bytes that are sent. Private keys are never shown.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape, type Registry, toBinary, toJson } from '@bufbuild/protobuf'
import { type Any, AnySchema, anyPack } from '@bufbuild/protobuf/wkt'
import { TYPE_URL } from '@lateen/envoy'
import { BootstrapConfigDumpSchema, SecretsConfigDumpSchema } from '@lateen/envoy/gen/envoy/admin/v3/config_dump_pb.js'
import {
  ClustersConfigDumpSchema,
  EcdsConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
  ScopedRoutesConfigDumpSchema,
} from '@lateen/envoy/gen/envoy/admin/v3/config_dump_shared_pb.js'
import { DataSourceSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { SecretSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import type { OpenSession } from '../xds/mesh-source.ts'

interface Held {
  readonly name: string
  readonly version: string
  readonly any: Any
}

/** The parts of a dump, in the order in which Envoy has them. */
export function configDump(session: OpenSession, { endpoints = false }: { readonly endpoints?: boolean } = {}): Any[] {
  const of = (typeUrl: string) => heldOf(session, typeUrl)
  return [
    pack(BootstrapConfigDumpSchema, {}),
    pack(ClustersConfigDumpSchema, {
      dynamicActiveClusters: of(TYPE_URL.CDS).map(({ version, any }) => ({ versionInfo: version, cluster: any })),
    }),
    ...(endpoints
      ? [
          pack(EndpointsConfigDumpSchema, {
            dynamicEndpointConfigs: of(TYPE_URL.EDS).map(({ version, any }) => ({ versionInfo: version, endpointConfig: any })),
          }),
        ]
      : []),
    pack(ListenersConfigDumpSchema, {
      dynamicListeners: of(TYPE_URL.LDS).map(({ name, version, any }) => ({ name, activeState: { versionInfo: version, listener: any } })),
    }),
    pack(ScopedRoutesConfigDumpSchema, {}),
    pack(RoutesConfigDumpSchema, {
      dynamicRouteConfigs: of(TYPE_URL.RDS).map(({ version, any }) => ({ versionInfo: version, routeConfig: any })),
    }),
    pack(SecretsConfigDumpSchema, {
      dynamicActiveSecrets: of(TYPE_URL.SDS).map(({ name, version, any }) => ({ name, versionInfo: version, secret: any })),
    }),
    pack(EcdsConfigDumpSchema, {
      ecdsFilters: of(TYPE_URL.ECDS).map(({ version, any }) => ({ versionInfo: version, ecdsFilter: any })),
    }),
  ]
}

const pack = <D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any => anyPack(schema, create(schema, init))

/** All resources of one type that the session is sent. */
export const typeDump = (session: OpenSession, typeUrl: string): Any[] => heldOf(session, typeUrl).map(({ any }) => any)

/** `{configs: […]}` with the parts as JSON. */
export async function dumpAsJson(parts: readonly Any[]): Promise<unknown> {
  const { envoyRegistry } = await import('@lateen/envoy/registry')
  const registry = envoyRegistry()
  return { configs: parts.map((part) => jsonOf(part, registry)) }
}

function jsonOf(part: Any, registry: Registry): unknown {
  try {
    return toJson(AnySchema, part, { registry, useProtoFieldName: true })
  } catch (error) {
    // A user's EnvoyFilter may name a message that is not known here.
    const { typeUrl } = part
    return {
      '@type': typeUrl,
      unreadable: error instanceof Error ? error.message : String(error),
      value: Buffer.from(part.value).toString('base64'),
    }
  }
}

function heldOf(session: OpenSession, typeUrl: string): Held[] {
  const held = session
    .resources(typeUrl)
    .parts.flatMap((part) => [...part.values()])
    .map(({ name, version, bytes }) => ({ name, version, any: create(AnySchema, { typeUrl, value: bytes }) }))
  if (typeUrl === TYPE_URL.RDS) return withVirtualHosts(held, heldOf(session, TYPE_URL.VHDS))
  return typeUrl === TYPE_URL.SDS ? held.map(withoutKey) : held
}

/** As Envoy shows them: virtual hosts that were sent apart stand in the route configurations that they belong to. */
function withVirtualHosts(routes: readonly Held[], virtualHosts: readonly Held[]): Held[] {
  // Named `<route configuration>/<virtual host>`; route configurations have no slash in their names.
  const byRoutes = Map.groupBy(virtualHosts, ({ name }) => name.slice(0, name.indexOf('/')))
  return routes.map((entry) => {
    const own = byRoutes.get(entry.name)
    if (!own) return entry
    const { vhds: _, virtualHosts: inline, ...rest } = fromBinary(RouteConfigurationSchema, entry.any.value)
    const all = [...inline, ...own.map(({ any }) => fromBinary(VirtualHostSchema, any.value))]
    return replaced(entry, toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { ...rest, virtualHosts: all })))
  })
}

function withoutKey(entry: Held): Held {
  const secret = fromBinary(SecretSchema, entry.any.value)
  if (secret.type.case !== 'tlsCertificate') return entry
  // A message of its own, just decoded: nobody else sees the change.
  secret.type.value.privateKey = create(DataSourceSchema, { specifier: { case: 'inlineBytes', value: Buffer.from('[redacted]') } })
  return replaced(entry, toBinary(SecretSchema, secret))
}

const replaced = (entry: Held, value: Uint8Array): Held => ({ ...entry, any: create(AnySchema, { typeUrl: entry.any.typeUrl, value }) })
