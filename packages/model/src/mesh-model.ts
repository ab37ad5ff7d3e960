/** The model as a whole: every collection, made on one graph in the order in which they read each other. */
import type { Graph, Source } from '@lateen/graph'
import { type PeerPolicy, peerPolicyCollection } from './authentication.ts'
import { type AuthorizationPolicy, authorizationPolicyCollection } from './authorization-policies.ts'
import { type DestinationRule, destinationRuleCollection } from './destination-rules.ts'
import { type EndpointFamily, endpointFamily } from './endpoints.ts'
import { backendPolicyCollection } from './gateway-api/backend-policies.ts'
import { gatewayApiCollections } from './gateway-api/collections.ts'
import type { Listener } from './gateway-api/listeners.ts'
import { type GatewayConfig, gatewayCollection } from './gateways.ts'
import { ingressCollections } from './ingress.ts'
import type { Inputs } from './inputs.ts'
import { type RequestAuthentication, requestAuthenticationCollection } from './request-authentications.ts'
import type { Service } from './service.ts'
import { serviceCollections } from './services.ts'
import { type SidecarConfig, sidecarCollection } from './sidecars.ts'
import { type VirtualService, virtualServiceCollection } from './virtual-services.ts'
import type { Workload } from './workload.ts'
import { workloadCollections } from './workloads.ts'

export interface MeshModel {
  readonly inputs: Inputs
  readonly pods: Source<Workload>
  readonly workloadEntries: Source<Workload>
  readonly kubernetesServices: Source<Service>
  readonly serviceEntries: Source<Service>
  readonly virtualServices: Source<VirtualService>
  readonly destinationRules: Source<DestinationRule>
  readonly gateways: Source<GatewayConfig>
  /** Of the Gateway API's Gateways and ListenerSets. */
  readonly listeners: Source<Listener>
  readonly sidecars: Source<SidecarConfig>
  readonly peerPolicies: Source<PeerPolicy>
  readonly authorizationPolicies: Source<AuthorizationPolicy>
  readonly requestAuthentications: Source<RequestAuthentication>
  readonly endpoints: EndpointFamily
}

export function createModel(graph: Graph, inputs: Inputs): MeshModel {
  const workloads = workloadCollections(graph, inputs)
  const services = serviceCollections(graph, inputs)
  const ingress = ingressCollections(graph, inputs, services.kubernetes)
  const gatewayApi = gatewayApiCollections(graph, inputs, services.kubernetes)
  return {
    inputs,
    pods: workloads.pods,
    workloadEntries: workloads.entries,
    kubernetesServices: services.kubernetes,
    serviceEntries: services.entries,
    virtualServices: virtualServiceCollection(graph, inputs, [ingress.virtualServices, ...gatewayApi.virtualServices]),
    destinationRules: destinationRuleCollection(graph, inputs, [backendPolicyCollection(graph, inputs, services.kubernetes)]),
    gateways: gatewayCollection(graph, inputs, [ingress.gateways, gatewayApi.gateways]),
    listeners: gatewayApi.listeners,
    sidecars: sidecarCollection(graph, inputs),
    peerPolicies: peerPolicyCollection(graph, inputs),
    authorizationPolicies: authorizationPolicyCollection(graph, inputs),
    requestAuthentications: requestAuthenticationCollection(graph, inputs),
    endpoints: endpointFamily({
      inputs,
      pods: workloads.pods,
      entries: workloads.entries,
      kubernetes: services.kubernetes,
      serviceEntries: services.entries,
    }),
  }
}
