/** The fields of core Kubernetes kinds that a mesh reads. Types only. */
import type { KubeObject } from '../object.ts'

export interface KubeServicePort {
  readonly name?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly appProtocol?: string
  readonly targetPort?: number | string
  readonly nodePort?: number
}

export interface ServiceSpec {
  readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** `None` for a headless service. */
  readonly clusterIP?: string
  readonly clusterIPs?: readonly string[]
  readonly ipFamilies?: readonly ('IPv4' | 'IPv6')[]
  readonly ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack'
  readonly externalIPs?: readonly string[]
  readonly externalName?: string
  readonly externalTrafficPolicy?: 'Cluster' | 'Local'
  readonly internalTrafficPolicy?: 'Cluster' | 'Local'
  readonly trafficDistribution?: string
  readonly loadBalancerIP?: string
  readonly ports?: readonly KubeServicePort[]
  readonly publishNotReadyAddresses?: boolean
  readonly selector?: Readonly<Record<string, string>>
  readonly sessionAffinity?: 'ClientIP' | 'None'
}

export interface LoadBalancerIngress {
  readonly ip?: string
  readonly hostname?: string
}

export interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] }
}

export type Service = KubeObject<ServiceSpec, ServiceStatus>

export interface KubeEndpoint {
  readonly addresses: readonly string[]
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  readonly hostname?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly targetRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string; readonly uid?: string }
}

export interface KubeEndpointPort {
  readonly name?: string
  readonly port?: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly appProtocol?: string
}

/** An EndpointSlice keeps its data at the top, not in `spec`; its service is in the label `kubernetes.io/service-name`. */
export interface EndpointSlice extends KubeObject<never, never> {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  readonly endpoints: readonly KubeEndpoint[] | null
  readonly ports?: readonly KubeEndpointPort[] | null
}

export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly args?: readonly string[]
  readonly ports?: readonly ContainerPort[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly nodeName?: string
  readonly serviceAccountName?: string
  readonly hostNetwork?: boolean
  readonly hostname?: string
  readonly subdomain?: string
}

export interface PodCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface PodStatus {
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly podIP?: string
  readonly podIPs?: readonly { readonly ip: string }[]
  readonly hostIP?: string
  readonly conditions?: readonly PodCondition[]
}

export type Pod = KubeObject<PodSpec, PodStatus>

export interface NodeSpec {
  readonly podCIDR?: string
  readonly providerID?: string
  readonly unschedulable?: boolean
}

export interface NodeStatus {
  readonly addresses?: readonly { readonly type: string; readonly address: string }[]
  readonly conditions?: readonly PodCondition[]
}

export type KubeNode = KubeObject<NodeSpec, NodeStatus>

export type Namespace = KubeObject<{ readonly finalizers?: readonly string[] }, { readonly phase?: 'Active' | 'Terminating' }>

export type ServiceAccount = KubeObject<never, never>

export interface ConfigMap extends KubeObject<never, never> {
  readonly data?: Readonly<Record<string, string>>
  /** Values in base64. */
  readonly binaryData?: Readonly<Record<string, string>>
}

export interface Secret extends KubeObject<never, never> {
  readonly type?: string
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>
}
