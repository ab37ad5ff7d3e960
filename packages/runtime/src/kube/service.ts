/** The fields of Services and EndpointSlices that the local cluster reads and writes. Types only. */
import type { KubeObject } from '@lateen/api'

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: string | number
  readonly nodePort?: number
  readonly protocol?: string
  readonly appProtocol?: string
}

export interface ServiceSpec {
  readonly type?: string
  readonly clusterIP?: string
  readonly clusterIPs?: readonly string[]
  readonly ipFamilies?: readonly string[]
  readonly externalIPs?: readonly string[]
  readonly externalName?: string
  readonly selector?: Readonly<Record<string, string>>
  readonly ports?: readonly ServicePort[]
  readonly publishNotReadyAddresses?: boolean
  readonly sessionAffinity?: string
  readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } }
  readonly loadBalancerClass?: string
}

export interface IngressPort {
  readonly port: number
  readonly protocol: string
  readonly error?: string
}

export interface ServiceStatus {
  readonly loadBalancer?: {
    readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string; readonly ports?: readonly IngressPort[] }[]
  }
}

export type Service = KubeObject<ServiceSpec, ServiceStatus>

export interface Endpoint {
  readonly addresses: readonly string[]
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  readonly hostname?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly namespace?: string; readonly uid?: string }
}

export interface EndpointPort {
  readonly name?: string | null
  readonly port?: number
  readonly protocol?: string
  readonly appProtocol?: string
}

export interface EndpointSlice extends KubeObject {
  readonly addressType?: string
  readonly endpoints?: readonly Endpoint[] | null
  readonly ports?: readonly EndpointPort[] | null
}

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None'

/** Endpoints without a stated condition count as ready. */
export const isEndpointReady = (endpoint: Endpoint): boolean => endpoint.conditions?.ready ?? true
