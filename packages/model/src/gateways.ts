/** Gateways: the servers that a gateway workload opens. */
import { type GatewaySpec, type KubeObject, objectKey, refOf } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Indexes, Source } from '@lateen/graph'
import { byAge } from './destination-rules.ts'
import type { Inputs } from './inputs.ts'
import { selects } from './workload.ts'

/** Set on Gateways that stand for one of the Gateway API: the services that lead to it. */
const SERVICE_ANNOTATION = 'internal.istio.io/gateway-service'

export interface GatewayConfig {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  readonly selector: Readonly<Record<string, string>>
  readonly spec: GatewaySpec
  /** Hosts of the services by which alone it is called; undefined for any. */
  readonly services: readonly string[] | undefined
  /** Credentials of other namespaces that it may use, as its servers name them. */
  readonly granted?: readonly string[]
  readonly created: string
  readonly origin: ObjectRef
}

/** All Gateways: Istio's own, and those that other kinds stand for. */
export function gatewayCollection(graph: Graph, inputs: Inputs, others: readonly Source<GatewayConfig>[]): Source<GatewayConfig> {
  const own = graph.collection<KubeObject, GatewayConfig>('istioGateways', inputs.kinds['networking.istio.io/Gateway'], (_, object) => {
    const spec = (object.spec ?? {}) as GatewaySpec
    const config: GatewayConfig = {
      key: objectKey(object),
      namespace: object.metadata.namespace ?? '',
      selector: spec.selector ?? {},
      spec,
      services: object.metadata.annotations?.[SERVICE_ANNOTATION]?.split(',').map((host) => host.trim()),
      created: object.metadata.creationTimestamp ?? '',
      origin: refOf(object),
    }
    return [[config.key, config]]
  })
  return graph.union('gateways', [own, ...others], INDEXES)
}

const INDEXES: Indexes<GatewayConfig> = { namespace: (gateway) => [gateway.namespace] }

/** The workload that asks for its Gateways. */
export interface GatewayWorkload {
  readonly labels: Readonly<Record<string, string>>
  /** Hosts of the services that lead to it. */
  readonly hosts: ReadonlySet<string>
  /** Its namespace, where only Gateways of that namespace count; undefined for all. */
  readonly only: string | undefined
}

/** The Gateways of a workload, oldest first: those that its labels fit, and those called by one of its services. */
export function gatewaysFor(context: Context, gateways: Source<GatewayConfig>, workload: GatewayWorkload): readonly GatewayConfig[] {
  const candidates = workload.only === undefined ? context.all(gateways) : context.list(gateways, 'namespace', workload.only)
  return candidates
    .filter(({ services, selector }) => (services ? services.some((host) => workload.hosts.has(host)) : selects(selector, workload.labels)))
    .sort(byAge)
}
