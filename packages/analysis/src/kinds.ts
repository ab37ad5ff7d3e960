/** The kinds that analyzers look at: how each is addressed, and the form in which its spec is handed to them. */
import {
  type AuthorizationPolicySpec,
  type DestinationRuleSpec,
  type EnvoyFilterSpec,
  type GatewaySpec,
  KINDS,
  type PeerAuthenticationSpec,
  type ProxyConfigSpec,
  RESOURCE_TYPES,
  type RequestAuthenticationSpec,
  type ResourceType,
  type ServiceEntrySpec,
  type SidecarSpec,
  splitApiVersion,
  type TelemetrySpec,
  type TrafficExtensionSpec,
  type VirtualServiceSpec,
  type WasmPluginSpec,
  type WorkloadEntrySpec,
  type WorkloadGroupSpec,
} from '@lateen/api'
import type {
  ConfigMapView,
  CustomResourceView,
  DeploymentView,
  KubernetesGatewayView,
  NothingRead,
  PodView,
  SecretView,
  ServiceView,
  WebhookConfigurationView,
} from './kubernetes-views.ts'

/** What `spec` of a {@link Resource} is, by kind. Istio's kinds are normalized; of others only what is read is kept. */
export interface SpecOf {
  readonly AuthorizationPolicy: AuthorizationPolicySpec
  readonly DestinationRule: DestinationRuleSpec
  readonly EnvoyFilter: EnvoyFilterSpec
  readonly Gateway: GatewaySpec
  readonly PeerAuthentication: PeerAuthenticationSpec
  readonly ProxyConfig: ProxyConfigSpec
  readonly RequestAuthentication: RequestAuthenticationSpec
  readonly ServiceEntry: ServiceEntrySpec
  readonly Sidecar: SidecarSpec
  readonly Telemetry: TelemetrySpec
  readonly TrafficExtension: TrafficExtensionSpec
  readonly VirtualService: VirtualServiceSpec
  readonly WasmPlugin: WasmPluginSpec
  readonly WorkloadEntry: WorkloadEntrySpec
  readonly WorkloadGroup: WorkloadGroupSpec
  readonly ConfigMap: ConfigMapView
  readonly CustomResourceDefinition: CustomResourceView
  readonly Deployment: DeploymentView
  readonly GRPCRoute: NothingRead
  readonly HTTPRoute: NothingRead
  /** Gateway API's Gateway. */
  readonly KubernetesGateway: KubernetesGatewayView
  readonly MutatingWebhookConfiguration: WebhookConfigurationView
  readonly Namespace: NothingRead
  readonly Node: NothingRead
  readonly Pod: PodView
  readonly Secret: SecretView
  readonly Service: ServiceView
  readonly ValidatingWebhookConfiguration: WebhookConfigurationView
}

export type KindName = keyof SpecOf
export type IstioKindName = Exclude<KindName, KubernetesKindName>
export type KubernetesKindName =
  | 'ConfigMap'
  | 'CustomResourceDefinition'
  | 'Deployment'
  | 'GRPCRoute'
  | 'HTTPRoute'
  | 'KubernetesGateway'
  | 'MutatingWebhookConfiguration'
  | 'Namespace'
  | 'Node'
  | 'Pod'
  | 'Secret'
  | 'Service'
  | 'ValidatingWebhookConfiguration'

const types = RESOURCE_TYPES

const KUBERNETES: Readonly<Record<KubernetesKindName, ResourceType>> = {
  ConfigMap: types.ConfigMap,
  CustomResourceDefinition: types.CustomResourceDefinition,
  Deployment: { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true },
  GRPCRoute: types.GRPCRoute,
  HTTPRoute: types.HTTPRoute,
  KubernetesGateway: types.KubernetesGateway,
  MutatingWebhookConfiguration: types.MutatingWebhookConfiguration,
  Namespace: types.Namespace,
  Node: types.Node,
  Pod: types.Pod,
  Secret: types.Secret,
  Service: types.Service,
  ValidatingWebhookConfiguration: types.ValidatingWebhookConfiguration,
}

/** How every kind that is looked at is addressed in the Kubernetes API. */
export const KIND_TYPES: Readonly<Record<KindName, ResourceType>> = {
  ...KUBERNETES,
  AuthorizationPolicy: types.AuthorizationPolicy,
  DestinationRule: types.DestinationRule,
  EnvoyFilter: types.EnvoyFilter,
  Gateway: types.Gateway,
  PeerAuthentication: types.PeerAuthentication,
  ProxyConfig: types.ProxyConfig,
  RequestAuthentication: types.RequestAuthentication,
  ServiceEntry: types.ServiceEntry,
  Sidecar: types.Sidecar,
  Telemetry: types.Telemetry,
  TrafficExtension: types.TrafficExtension,
  VirtualService: types.VirtualService,
  WasmPlugin: types.WasmPlugin,
  WorkloadEntry: types.WorkloadEntry,
  WorkloadGroup: types.WorkloadGroup,
}

export const isIstioKind = (kind: KindName): kind is IstioKindName => !Object.hasOwn(KUBERNETES, kind)

/** All kinds of Istio's API, in its order. */
export const ISTIO_KIND_NAMES: readonly IstioKindName[] = KINDS.map(({ group, kind }) => kindNameOf(`${group}/v1`, kind)).filter(
  (kind): kind is IstioKindName => kind !== undefined && isIstioKind(kind),
)

/** Kinds that describe what runs: files seldom hold them, so analysis of files alone does not miss them. */
export const RUNTIME_KINDS: ReadonlySet<KindName> = new Set<KindName>(['Service', 'Namespace', 'Node', 'Pod', 'Secret'])

/** The kind of an object, whatever its version; `undefined` when no analyzer looks at it. */
export function kindNameOf(apiVersion: string, kind: string): KindName | undefined {
  const { group } = splitApiVersion(apiVersion)
  const name = group === KUBERNETES.KubernetesGateway.group && kind === 'Gateway' ? 'KubernetesGateway' : kind
  return isKindName(name) && KIND_TYPES[name].group === group ? name : undefined
}

function isKindName(name: string): name is KindName {
  return Object.hasOwn(KIND_TYPES, name)
}
