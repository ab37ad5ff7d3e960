/** The kinds that a mesh reads from Kubernetes, and how each is read. */
import type { ResourceType } from '@lateen/api'
import {
  type Projection,
  projectConfig,
  projectEndpointSlice,
  projectIngress,
  projectNamespace,
  projectNode,
  projectPod,
  projectSecret,
  projectService,
} from './projections.ts'

/** A kind that a source follows. */
export interface WatchedKind {
  readonly type: ResourceType
  readonly project: Projection
  /** The mesh works when this kind is not served or may not be read. */
  readonly optional: boolean
  readonly fieldSelector?: string
  readonly pageSize?: number
}

const type = (group: string, version: string, kind: string, plural: string, namespaced = true): ResourceType => ({ group, version, kind, plural, namespaced })

export const SERVICE = type('', 'v1', 'Service', 'services')
export const POD = type('', 'v1', 'Pod', 'pods')
export const NODE = type('', 'v1', 'Node', 'nodes', false)
export const NAMESPACE = type('', 'v1', 'Namespace', 'namespaces', false)
export const SECRET = type('', 'v1', 'Secret', 'secrets')
export const CONFIG_MAP = type('', 'v1', 'ConfigMap', 'configmaps')
export const EVENT = type('', 'v1', 'Event', 'events')
export const ENDPOINT_SLICE = type('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices')
export const INGRESS = type('networking.k8s.io', 'v1', 'Ingress', 'ingresses')
export const INGRESS_CLASS = type('networking.k8s.io', 'v1', 'IngressClass', 'ingressclasses', false)
export const CUSTOM_RESOURCE_DEFINITION = type('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', 'customresourcedefinitions', false)

const NETWORKING = 'networking.istio.io'
const GATEWAY_API = 'gateway.networking.k8s.io'

export const ISTIO_TYPES: readonly ResourceType[] = [
  type(NETWORKING, 'v1', 'VirtualService', 'virtualservices'),
  type(NETWORKING, 'v1', 'DestinationRule', 'destinationrules'),
  type(NETWORKING, 'v1', 'Gateway', 'gateways'),
  type(NETWORKING, 'v1', 'ServiceEntry', 'serviceentries'),
  type(NETWORKING, 'v1', 'WorkloadEntry', 'workloadentries'),
  type(NETWORKING, 'v1', 'WorkloadGroup', 'workloadgroups'),
  type(NETWORKING, 'v1', 'Sidecar', 'sidecars'),
  type(NETWORKING, 'v1alpha3', 'EnvoyFilter', 'envoyfilters'),
  type(NETWORKING, 'v1beta1', 'ProxyConfig', 'proxyconfigs'),
  type('security.istio.io', 'v1', 'AuthorizationPolicy', 'authorizationpolicies'),
  type('security.istio.io', 'v1', 'PeerAuthentication', 'peerauthentications'),
  type('security.istio.io', 'v1', 'RequestAuthentication', 'requestauthentications'),
  type('telemetry.istio.io', 'v1', 'Telemetry', 'telemetries'),
  type('extensions.istio.io', 'v1alpha1', 'WasmPlugin', 'wasmplugins'),
  type('extensions.istio.io', 'v1alpha1', 'TrafficExtension', 'trafficextensions'),
]

export const GATEWAY_API_TYPES: readonly ResourceType[] = [
  type(GATEWAY_API, 'v1', 'GatewayClass', 'gatewayclasses', false),
  type(GATEWAY_API, 'v1', 'Gateway', 'gateways'),
  type(GATEWAY_API, 'v1', 'HTTPRoute', 'httproutes'),
  type(GATEWAY_API, 'v1', 'GRPCRoute', 'grpcroutes'),
  type(GATEWAY_API, 'v1beta1', 'ReferenceGrant', 'referencegrants'),
]

const required = (type: ResourceType, project: Projection, extra: Partial<WatchedKind> = {}): WatchedKind => ({ type, project, optional: false, ...extra })
const optional = (type: ResourceType, project: Projection): WatchedKind => ({ type, project, optional: true })

/** Everything that the mesh reads. Custom kinds are optional: a mesh of Services alone is a mesh. */
export const MESH_KINDS: readonly WatchedKind[] = [
  required(NAMESPACE, projectNamespace),
  required(NODE, projectNode),
  required(SERVICE, projectService),
  required(ENDPOINT_SLICE, projectEndpointSlice),
  required(POD, projectPod),
  // A Helm release is a Secret of up to a megabyte; small pages keep the others from being read in one piece as well.
  required(SECRET, projectSecret, { fieldSelector: 'type!=helm.sh/release.v1', pageSize: 100 }),
  optional(INGRESS, projectIngress),
  optional(INGRESS_CLASS, projectConfig),
  ...ISTIO_TYPES.map((istio) => optional(istio, projectConfig)),
  ...GATEWAY_API_TYPES.map((gateway) => optional(gateway, projectConfig)),
]
