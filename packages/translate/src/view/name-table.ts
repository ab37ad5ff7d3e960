/** The name table of proxies whose agent answers DNS: every host with addresses that a scope sees. */
import { create, toBinary } from '@bufbuild/protobuf'
import { NameTableSchema } from '@lateen/envoy/gen/istio/networking/nds/v1/nds_pb.js'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type MeshModel, reachable, type Service, settingsOf } from '@lateen/model'
import { equalParts, type Part, partOf, resourceOf } from '../resource.ts'
import type { Outbound } from './outbound.ts'
import type { Scope, Scopes } from './scope.ts'

interface NameKey {
  readonly scope: Scope
  readonly namespace: string
}

/** NDS has one resource a proxy; it has no name in Istio, and delta needs one. */
const TABLE = 'name-table'

/** What is said of one name. */
interface NameInfo {
  readonly ips: string[]
  readonly registry: string
  readonly shortname: string
  readonly namespace: string
  readonly altHosts: string[]
}

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
      const table: Record<string, NameInfo> = {}
      for (const service of [...services].sort(byHostAndOrigin)) {
        const own = reachable([...service.addresses, ...(scope.autoAddresses ? service.autoAddresses : [])], scope.families)
        const ips = own.filter((address) => !address.includes('/'))
        const pods = ips.length === 0 && service.headless ? podsOf(context, model, service) : []
        const all = ips.length > 0 ? ips : pods.flatMap(({ addresses }) => addresses)
        if (all.length === 0) continue
        const known = table[service.host]
        // Entries for one host add their addresses; a Kubernetes Service, which comes first, keeps the name to itself.
        if (known?.registry === EXTERNAL) known.ips.push(...all.filter((address) => !known.ips.includes(address)))
        if (known) continue
        table[service.host] = infoOf(service, all, namespace, domain)
        for (const [hostname, addresses] of byHostname(pods)) {
          const full = `${hostname}.${service.host}`
          table[full] ??= infoOf({ ...service, name: `${hostname}.${service.name}` }, addresses, namespace, domain)
        }
      }
      return partOf([resourceOf(TABLE, toBinary(NameTableSchema, create(NameTableSchema, { table })))])
    },
    { equal: equalParts },
  )
  return (context, scope, namespace) => context.read(family, graph.intern<NameKey>({ scope, namespace }))
}

const KUBERNETES = 'Kubernetes'
const EXTERNAL = 'External'

const byHostAndOrigin = (a: Service, b: Service): number => {
  if (a.host !== b.host) return a.host < b.host ? -1 : 1
  const kind = Number(b.origin.kind === 'Service') - Number(a.origin.kind === 'Service')
  return kind || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}

function infoOf(service: Service, ips: readonly string[], namespace: string, domain: string): NameInfo {
  const kubernetes = service.origin.kind === 'Service'
  return {
    ips: [...ips],
    registry: kubernetes ? KUBERNETES : EXTERNAL,
    shortname: kubernetes ? service.name : '',
    namespace: kubernetes ? service.namespace : '',
    altHosts: kubernetes ? shortNames(service, namespace, domain) : [],
  }
}

interface Pod {
  readonly hostname: string
  readonly addresses: readonly string[]
}

/** The endpoints of a headless service, on whichever of its ports, each once. */
function podsOf(context: Context, model: MeshModel, service: Service): readonly Pod[] {
  const pods = new Map<string, Pod>()
  for (const port of service.ports) {
    for (const { address, otherAddresses, health, hostname } of context.read(model.endpoints, `${service.key}|${port.number}`)) {
      if (health === 'healthy' && !pods.has(address)) pods.set(address, { hostname, addresses: [address, ...otherAddresses] })
    }
  }
  return [...pods.values()]
}

/** Addresses by the names that pods have below their service (`db-0.db.shop.svc.cluster.local`). */
function byHostname(pods: readonly Pod[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { hostname, addresses } of pods) if (hostname) found.set(hostname, [...(found.get(hostname) ?? []), ...addresses])
  return found
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
