/** The fields of Gateways and ListenerSets that the controllers here read, from objects as the API server sent them. */
import { type KubeObject, type LabelSelector, matchesLabelSelector } from '@lateen/api'

export interface ListenerView {
  readonly name?: string
  readonly port: number
  readonly protocol: string
}

export interface ParametersReference {
  readonly group: string
  readonly kind: string
  readonly name: string
}

export interface GatewaySpec {
  readonly gatewayClassName?: string
  readonly addresses?: readonly { readonly type?: string; readonly value?: string }[]
  readonly listeners?: readonly ListenerView[]
  readonly allowedListeners?: { readonly namespaces?: { readonly from?: string; readonly selector?: LabelSelector } }
  readonly infrastructure?: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly parametersRef?: ParametersReference
  }
}

export interface ListenerSetSpec {
  readonly parentRef?: { readonly group?: string; readonly kind?: string; readonly namespace?: string; readonly name?: string }
  readonly listeners?: readonly ListenerView[]
}

/** The CRD's schema has checked what is in it. */
export const gatewaySpec = (gateway: KubeObject): GatewaySpec => (gateway.spec ?? {}) as GatewaySpec
export const listenerSetSpec = (set: KubeObject): ListenerSetSpec => (set.spec ?? {}) as ListenerSetSpec

/** Whether the mesh deploys it: addresses other than a single IP address say that it is deployed already. */
export function isDeployed({ addresses = [] }: GatewaySpec): boolean {
  const [first] = addresses
  return addresses.length === 0 || (addresses.length === 1 && (first?.type ?? 'IPAddress') === 'IPAddress')
}

/** `namespace/name` of the Gateway that a ListenerSet adds to. */
export function gatewayOfListenerSet(set: KubeObject): string | undefined {
  const { parentRef } = listenerSetSpec(set)
  if (!parentRef?.name || (parentRef.kind ?? 'Gateway') !== 'Gateway') return undefined
  return `${parentRef.namespace ?? set.metadata.namespace ?? ''}/${parentRef.name}`
}

/** Whether a Gateway takes listeners from ListenerSets of a namespace. */
export function takesListenersOf(gateway: KubeObject, namespace: string, labels: Readonly<Record<string, string>>): boolean {
  const { from = 'None', selector } = gatewaySpec(gateway).allowedListeners?.namespaces ?? {}
  switch (from) {
    case 'All':
      return true
    case 'Same':
      return namespace === gateway.metadata.namespace
    case 'Selector':
      return selector !== undefined && matchesLabelSelector(selector, { 'kubernetes.io/metadata.name': namespace, ...labels })
    default:
      return false
  }
}
