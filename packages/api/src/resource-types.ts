/** How every kind that the mesh reads is addressed in the Kubernetes API. */
import { KINDS } from './kinds/kinds.ts'
import type { ResourceType } from './object.ts'

type IstioKind =
  | 'TrafficExtension'
  | 'WasmPlugin'
  | 'DestinationRule'
  | 'EnvoyFilter'
  | 'Gateway'
  | 'ProxyConfig'
  | 'ServiceEntry'
  | 'Sidecar'
  | 'VirtualService'
  | 'WorkloadEntry'
  | 'WorkloadGroup'
  | 'AuthorizationPolicy'
  | 'PeerAuthentication'
  | 'RequestAuthentication'
  | 'Telemetry'

function type(group: string, version: string, kind: string, plural: string, scope: 'Namespaced' | 'Cluster' = 'Namespaced'): ResourceType {
  return { group, version, kind, plural, namespaced: scope === 'Namespaced' }
}

const GATEWAY_API = 'gateway.networking.k8s.io'

const KUBERNETES_TYPES = {
  Service: type('', 'v1', 'Service', 'services'),
  Pod: type('', 'v1', 'Pod', 'pods'),
  Node: type('', 'v1', 'Node', 'nodes', 'Cluster'),
  Namespace: type('', 'v1', 'Namespace', 'namespaces', 'Cluster'),
  ConfigMap: type('', 'v1', 'ConfigMap', 'configmaps'),
  Secret: type('', 'v1', 'Secret', 'secrets'),
  ServiceAccount: type('', 'v1', 'ServiceAccount', 'serviceaccounts'),
  Event: type('', 'v1', 'Event', 'events'),
  EndpointSlice: type('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices'),
  Ingress: type('networking.k8s.io', 'v1', 'Ingress', 'ingresses'),
  IngressClass: type('networking.k8s.io', 'v1', 'IngressClass', 'ingressclasses', 'Cluster'),
  CertificateSigningRequest: type('certificates.k8s.io', 'v1', 'CertificateSigningRequest', 'certificatesigningrequests', 'Cluster'),
  Lease: type('coordination.k8s.io', 'v1', 'Lease', 'leases'),
  MutatingWebhookConfiguration: type(
    'admissionregistration.k8s.io',
    'v1',
    'MutatingWebhookConfiguration',
    'mutatingwebhookconfigurations',
    'Cluster',
  ),
  ValidatingWebhookConfiguration: type(
    'admissionregistration.k8s.io',
    'v1',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
    'Cluster',
  ),
  CustomResourceDefinition: type('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', 'customresourcedefinitions', 'Cluster'),
} as const

/** Gateway API's Gateway is `KubernetesGateway` here: Istio's own kind has the plain name. */
const GATEWAY_API_TYPES = {
  GatewayClass: type(GATEWAY_API, 'v1', 'GatewayClass', 'gatewayclasses', 'Cluster'),
  KubernetesGateway: type(GATEWAY_API, 'v1', 'Gateway', 'gateways'),
  HTTPRoute: type(GATEWAY_API, 'v1', 'HTTPRoute', 'httproutes'),
  GRPCRoute: type(GATEWAY_API, 'v1', 'GRPCRoute', 'grpcroutes'),
  TLSRoute: type(GATEWAY_API, 'v1', 'TLSRoute', 'tlsroutes'),
  TCPRoute: type(GATEWAY_API, 'v1alpha2', 'TCPRoute', 'tcproutes'),
  UDPRoute: type(GATEWAY_API, 'v1alpha2', 'UDPRoute', 'udproutes'),
  ReferenceGrant: type(GATEWAY_API, 'v1beta1', 'ReferenceGrant', 'referencegrants'),
  BackendTLSPolicy: type(GATEWAY_API, 'v1', 'BackendTLSPolicy', 'backendtlspolicies'),
  ListenerSet: type(GATEWAY_API, 'v1', 'ListenerSet', 'listenersets'),
} as const

function istioTypes(): Record<IstioKind, ResourceType> {
  // The loop below fills every key: a test compares the names above with KINDS.
  const types = {} as Record<string, ResourceType>
  for (const { group, kind, plural, namespaced, versions } of KINDS)
    types[kind] = { group, version: versions[0]?.name ?? 'v1', kind, plural, namespaced }
  return types as Record<IstioKind, ResourceType>
}

/** Kinds by name; each in the version in which the mesh reads it. */
export const RESOURCE_TYPES: Readonly<Record<IstioKind | keyof typeof KUBERNETES_TYPES | keyof typeof GATEWAY_API_TYPES, ResourceType>> = {
  ...KUBERNETES_TYPES,
  ...GATEWAY_API_TYPES,
  ...istioTypes(),
}
