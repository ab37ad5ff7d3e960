/** From a Gateway and what is known about its surroundings to what is to be deployed for it. */
import { type KubeObject, objectKey } from '@lateen/api'
import type { GatewayRequest } from '@lateen/inject'
import type { ServedClass } from './gateway-classes.ts'
import { gatewayOfListenerSet, gatewaySpec, listenerSetSpec, takesListenersOf } from './gateway-spec.ts'
import { servicePorts } from './service-ports.ts'

const NAME_OVERRIDE = 'gateway.istio.io/name-override'
const SERVICE_ACCOUNT = 'gateway.istio.io/service-account'
const SERVICE_TYPE = 'networking.istio.io/service-type'
/** Labels and annotations of the API itself are not the user's to set. */
const API_PREFIX = 'gateway.networking.k8s.io/'

type Texts = Readonly<Record<string, string>>

export interface NamespaceFacts {
  readonly labels: Texts
  readonly annotations: Texts
}

export interface GatewaySurroundings {
  readonly served: ServedClass & { readonly deployment: NonNullable<ServedClass['deployment']> }
  readonly listenerSets: readonly KubeObject[]
  readonly namespace: (name: string) => NamespaceFacts
  /** Whether a Gateway's own labels and annotations are passed on where it names none for its infrastructure. */
  readonly copiesMetadata: boolean
  readonly clusterId: string
  readonly kubernetesVersion: number
  readonly proxyConfig: GatewayRequest['proxyConfig']
  readonly settings: GatewayRequest['settings']
  readonly overlays: GatewayRequest['overlays']
}

export function gatewayRequest(gateway: KubeObject, around: GatewaySurroundings): GatewayRequest {
  const { served, listenerSets, namespace, copiesMetadata } = around
  const spec = gatewaySpec(gateway)
  const { annotations = {}, labels = {} } = gateway.metadata
  const className = spec.gatewayClassName ?? ''
  const name = `${gateway.metadata.name}-${className}`
  const key = objectKey(gateway)
  const added = listenerSets
    .filter((set) => gatewayOfListenerSet(set) === key)
    .filter(({ metadata }) => takesListenersOf(gateway, metadata.namespace ?? '', namespace(metadata.namespace ?? '').labels))
    .flatMap((set) => listenerSetSpec(set).listeners ?? [])
  return {
    gateway,
    className,
    controllerLabel: served.deployment.controllerLabel,
    name: annotations[NAME_OVERRIDE] || name,
    serviceAccount: annotations[SERVICE_ACCOUNT] || name,
    serviceType: annotations[SERVICE_TYPE] ?? served.deployment.serviceType,
    ports: servicePorts([...(spec.listeners ?? []), ...added]),
    labels: infrastructure(spec.infrastructure?.labels, copiesMetadata ? labels : {}),
    annotations: infrastructure(spec.infrastructure?.annotations, copiesMetadata ? annotations : {}),
    clusterId: around.clusterId,
    kubernetesVersion: around.kubernetesVersion,
    namespaceAnnotations: namespace(gateway.metadata.namespace ?? '').annotations,
    proxyConfig: around.proxyConfig,
    settings: around.settings,
    overlays: around.overlays,
  }
}

function infrastructure(named: Texts | undefined, own: Texts): Texts {
  if (!named) return own
  return Object.fromEntries(Object.entries(named).filter(([name]) => !name.startsWith(API_PREFIX)))
}
