/** The fields of Kubernetes kinds, and of Istio kinds with free form, that the model reads. */

export type NodeLabels = Readonly<Record<string, string>>

export interface ContainerView {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[]
}

export interface PodSpec {
  readonly nodeName?: string
  readonly serviceAccountName?: string
  readonly hostNetwork?: boolean
  readonly containers?: readonly ContainerView[]
  readonly initContainers?: readonly ContainerView[]
}

export interface PodStatus {
  readonly phase?: string
  readonly podIP?: string
  readonly podIPs?: readonly { readonly ip: string }[]
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
}

export interface ServiceSpec {
  readonly type?: string
  readonly clusterIP?: string
  readonly clusterIPs?: readonly string[]
  readonly externalIPs?: readonly string[]
  readonly externalName?: string
  readonly selector?: Readonly<Record<string, string>>
  readonly publishNotReadyAddresses?: boolean
  readonly internalTrafficPolicy?: string
  readonly trafficDistribution?: string
  readonly ports?: readonly {
    readonly name?: string
    readonly port: number
    readonly protocol?: string
    readonly appProtocol?: string
    readonly targetPort?: number | string
    readonly nodePort?: number
  }[]
}

export interface NodeStatus {
  readonly addresses?: readonly { readonly type: string; readonly address: string }[]
}

export interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] }
}

export interface EndpointSliceView {
  readonly addressType?: string
  readonly endpoints?: readonly {
    readonly addresses: readonly string[]
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
    readonly hostname?: string
    readonly nodeName?: string
    readonly zone?: string
    readonly targetRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string }
  }[]
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string; readonly appProtocol?: string }[]
}

export interface WorkloadEntrySpec {
  readonly address?: string
  readonly ports?: Readonly<Record<string, number>>
  readonly labels?: Readonly<Record<string, string>>
  readonly network?: string
  readonly locality?: string
  readonly weight?: number
  readonly serviceAccount?: string
}

export interface ServiceEntrySpec {
  readonly hosts?: readonly string[]
  readonly addresses?: readonly string[]
  readonly ports?: readonly { readonly number: number; readonly name: string; readonly protocol?: string; readonly targetPort?: number }[]
  readonly location?: 'MESH_EXTERNAL' | 'MESH_INTERNAL'
  readonly resolution?: 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS'
  readonly endpoints?: readonly WorkloadEntrySpec[]
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> }
  readonly exportTo?: readonly string[]
  readonly subjectAltNames?: readonly string[]
}

export interface IngressBackend {
  readonly service?: { readonly name: string; readonly port?: { readonly number?: number; readonly name?: string } }
}

export interface IngressPath {
  readonly path?: string
  readonly pathType?: string
  readonly backend?: IngressBackend
}

export interface IngressSpec {
  readonly ingressClassName?: string
  readonly defaultBackend?: IngressBackend
  readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[]
  readonly rules?: readonly { readonly host?: string; readonly http?: { readonly paths?: readonly IngressPath[] } }[]
}

export interface IngressClassSpec {
  readonly controller?: string
}
