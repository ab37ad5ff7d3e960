/** The name table of proxies whose agent answers DNS: every host with addresses that a scope sees. */
import { create, toBinary } from '@bufbuild/protobuf'
import { NameTableSchema } from '@lateen/envoy/gen/istio/networking/nds/v1/nds_pb.js'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type MeshModel, portOf, type Service, settingsOf } from '@lateen/model'
import { equalParts, type Part, partOf, resourceOf } from '../resource.ts'
import type { Outbound } from './outbound.ts'
import type { Scope, Scopes } from './scope.ts'

interface NameKey {
  readonly scope: Scope
  readonly namespace: string
}

/** NDS has one resource a proxy; it has no name in Istio, and delta needs one. */
const TABLE = 'name-table'

export type NameTableFamily = Family<Interned<NameKey>, Part>

export function createNameTable(
  graph: Graph,
  model: MeshModel,
  scopes: Scopes,
  outbound: Outbound,
): (context: Context, scope: Scope, namespace: string) => Part {
  const family: NameTableFamily = new Family(
    'nameTable',
    (context, { value: { scope, namespace } }) => {
      const { domain } = settingsOf(context, model.inputs)
      const services = context.read(scopes.namespaces, '').flatMap((name) => context.read(outbound.servicesOf, scopes.chunk(scope, name)))
      const table: Record<string, { ips: string[]; registry: string; shortname: string; namespace: string; altHosts: string[] }> = {}
      for (const service of [...services].sort((a, b) => (a.host < b.host ? -1 : 1))) {
        const ips = addressesOf(context, model, service)
        if (ips.length === 0) continue
        const kubernetes = service.origin.kind === 'Service'
        table[service.host] = {
          ips,
          registry: kubernetes ? 'Kubernetes' : 'External',
          shortname: kubernetes ? service.name : '',
          namespace: kubernetes ? service.namespace : '',
          altHosts: kubernetes ? shortNames(service, namespace, domain) : [],
        }
      }
      return partOf([resourceOf(TABLE, toBinary(NameTableSchema, create(NameTableSchema, { table })))])
    },
    { equal: equalParts },
  )
  return (context, scope, namespace) => context.read(family, graph.intern<NameKey>({ scope, namespace }))
}

/** A headless service has the addresses of its endpoints. */
function addressesOf(context: Context, model: MeshModel, service: Service): string[] {
  const own = [...service.addresses, ...service.autoAddresses].filter((address) => !address.includes('/'))
  if (own.length > 0 || !service.headless) return own
  const port = service.ports[0] && portOf(service, service.ports[0].number)
  if (!port) return []
  return context
    .read(model.endpoints, `${service.key}|${port.number}`)
    .filter((endpoint) => endpoint.health === 'healthy')
    .map((endpoint) => endpoint.address)
}

function shortNames(service: Service, namespace: string, domain: string): string[] {
  const [first = ''] = domain.split('.')
  const names = [
    `${service.name}.${service.namespace}`,
    `${service.name}.${service.namespace}.svc`,
    `${service.name}.${service.namespace}.svc.${first}`,
  ]
  return service.namespace === namespace ? [service.name, ...names] : names
}
