/** `status.loadBalancer` of Ingresses: the addresses of the ingress gateway. */
import { type KubeObject, refOf } from '@lateen/api'
import type { Context } from '@lateen/graph'
import { isIpv6 } from '../address-family.ts'
import { isServed } from '../ingress.ts'
import type { Inputs } from '../inputs.ts'
import { settingsOf } from '../services.ts'
import type { NodeStatus, PodSpec, ServiceSpec } from '../views.ts'
import { loadBalancerAddresses } from './gateway-addresses.ts'
import type { WantedStatus } from './wanted-status.ts'

const DEFAULT_SERVICE = 'istio-ingressgateway'
const DEFAULT_SELECTOR = 'ingressgateway'
/** Where the mesh configuration names no service, the pods with this label are the gateway. */
const SELECTOR_LABEL = 'istio'

/** Undefined for Ingresses of other controllers. */
export function ingressStatus(context: Context, inputs: Inputs, ingress: KubeObject): WantedStatus | undefined {
  if (!isServed(context, inputs, ingress)) return undefined
  const addresses = [...new Set(addressesOf(context, inputs))].sort()
  const entries = addresses.map((address) => (isIpv6(address) || /^[\d.]+$/.test(address) ? { ip: address } : { hostname: address }))
  const loadBalancer = entries.length > 0 ? { ingress: entries } : {}
  return { object: refOf(ingress), generation: undefined, fields: { loadBalancer } }
}

function addressesOf(context: Context, inputs: Inputs): readonly string[] {
  const { mesh, rootNamespace } = settingsOf(context, inputs)
  const name = mesh.ingressService ?? DEFAULT_SERVICE
  if (name === '') return nodeAddresses(context, inputs, rootNamespace, mesh.ingressSelector || DEFAULT_SELECTOR)
  const service = context.get(inputs.kinds['core/Service'], name.includes('/') ? name : `${rootNamespace}/${name}`)
  if (!service) return []
  const { type, externalName } = (service.spec ?? {}) as ServiceSpec
  if (type === 'ExternalName') return externalName ? [externalName] : []
  return loadBalancerAddresses(service)
}

/** Outside addresses of the nodes that run the gateway. */
function nodeAddresses(context: Context, inputs: Inputs, namespace: string, selector: string): readonly string[] {
  const gateways = context
    .list(inputs.kinds['core/Pod'], 'namespace', namespace)
    .filter(({ metadata }) => metadata.labels?.[SELECTOR_LABEL] === selector)
  return gateways.flatMap(({ spec }) => {
    const node = context.get(inputs.kinds['core/Node'], ((spec ?? {}) as PodSpec).nodeName ?? '')
    const { addresses = [] } = (node?.status ?? {}) as NodeStatus
    return addresses.filter(({ type }) => type === 'ExternalIP').map(({ address }) => address)
  })
}
