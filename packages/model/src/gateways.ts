/** Gateways: the servers that a gateway workload opens. */
import { type GatewaySpec, type KubeObject, objectKey, refOf } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
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
  readonly created: string
  readonly origin: ObjectRef
}

export function gatewayCollection(graph: Graph, inputs: Inputs): Source<GatewayConfig> {
  return graph.collection<KubeObject, GatewayConfig>('gateways', inputs.kinds['networking.istio.io/Gateway'], (_, object) => {
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
}

/** The Gateways whose selector a workload's labels fit, oldest first. */
export function gatewaysFor(
  context: Context,
  gateways: Source<GatewayConfig>,
  labels: Readonly<Record<string, string>>,
): readonly GatewayConfig[] {
  return context
    .all(gateways)
    .filter((gateway) => selects(gateway.selector, labels))
    .sort(byAge)
}
