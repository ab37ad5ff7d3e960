/** What the objects of a deployed gateway are made from, and what the built-in template and texts of users read of it. */
import type { KubeObject } from '@lateen/api'
import type { TlsPolicy } from '@lateen/base'
import { reservedIds } from '../pod/reserved-ids.ts'
import type { InjectorConfig, MeshSettings } from '../settings/injector-config.ts'
import { mergeProxyConfig, type ProxyConfig } from '../settings/proxy-config.ts'
import { mergeValues, textAt, type Values } from '../settings/values.ts'
import type { TemplateInput } from '../template/input.ts'
import { proxyImageUrl } from '../template/parts/image.ts'

export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name'
export const GATEWAY_CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name'
/** Set on everything that is made for a Gateway; what lacks it is somebody else's and left alone. */
export const MANAGED_LABEL = 'gateway.istio.io/managed'

const NETWORK_LABEL = 'topology.istio.io/network'

/** Annotations that are about the Gateway itself, and not passed on. */
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'gateway.istio.io/name-override',
  'gateway.istio.io/service-account',
  'gateway.istio.io/controller-version',
])

export interface GatewayPort {
  readonly name: string
  readonly port: number
  readonly appProtocol: string
}

export interface GatewaySettings {
  readonly config: InjectorConfig
  readonly values: Values
  readonly mesh: MeshSettings
  readonly revision: string
  /** As of pods that are injected. */
  readonly tlsPolicy?: TlsPolicy | undefined
}

export interface GatewayRequest {
  /** The Gateway of the Gateway API. */
  readonly gateway: KubeObject
  readonly className: string
  /** Controller of its class, in {@link MANAGED_LABEL}. */
  readonly controllerLabel: string
  /** Name of the Deployment and the Service. */
  readonly name: string
  readonly serviceAccount: string
  readonly serviceType: string
  readonly ports: readonly GatewayPort[]
  /** What the infrastructure is to carry, besides what the mesh needs. */
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly clusterId: string
  /** `100 * major + minor`. */
  readonly kubernetesVersion: number
  readonly namespaceAnnotations: Readonly<Record<string, string>>
  /** ProxyConfig resources that match the gateway's pods, merged. */
  readonly proxyConfig: ProxyConfig
  readonly settings: GatewaySettings
  /** Data of ConfigMaps whose keys name objects and whose texts are merged over them, in this order. */
  readonly overlays: readonly Readonly<Record<string, string>>[]
}

/** Annotations without those that are about the Gateway itself. */
export function infrastructureAnnotations({ annotations }: GatewayRequest): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !OWN_ANNOTATIONS.has(name)))
}

/** The gateway as pods are seen by templates: a pod without containers, of the Deployment that is to be. */
export function templateInputOf(request: GatewayRequest): TemplateInput {
  const { gateway, name, labels, settings, namespaceAnnotations } = request
  const { namespace = '', annotations = {} } = gateway.metadata
  const network = labels[NETWORK_LABEL] || textAt(settings.values, 'global.network')
  const clusterName = textAt(settings.values, 'global.multiCluster.clusterName') || request.clusterId
  const proxyConfig = mergeProxyConfig(settings.mesh.defaultConfig, request.proxyConfig)
  const ids = reservedIds(namespaceAnnotations)
  return {
    pod: { metadata: { name: gateway.metadata.name, namespace, labels, annotations }, spec: { containers: [] } },
    owner: { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name },
    mesh: settings.mesh,
    proxyConfig,
    values: mergeValues(settings.values, { global: { ...(network ? { network } : {}), multiCluster: { clusterName } } }),
    revision: settings.revision,
    proxyImage: proxyImageUrl(settings.values, proxyConfig, annotations),
    proxyUid: ids.uid,
    proxyGid: ids.gid,
    nativeSidecar: false,
    tlsPolicy: settings.tlsPolicy,
  }
}

/** The network whose view the gateway asks for: the one that its labels say it is in. */
export const requestedNetwork = ({ labels }: GatewayRequest): string | undefined => labels[NETWORK_LABEL]
