/** Ingress and IngressClass, as far as a mesh reads them. Types only. */
import type { KubeObject } from '../object.ts'

export interface IngressBackend {
  readonly service?: { readonly name: string; readonly port?: { readonly name?: string; readonly number?: number } }
  readonly resource?: { readonly apiGroup?: string; readonly kind: string; readonly name: string }
}

export interface IngressPath {
  readonly path?: string
  readonly pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific'
  readonly backend: IngressBackend
}

export interface IngressRule {
  readonly host?: string
  readonly http?: { readonly paths: readonly IngressPath[] }
}

export interface IngressTls {
  readonly hosts?: readonly string[]
  readonly secretName?: string
}

export interface IngressSpec {
  readonly ingressClassName?: string
  readonly defaultBackend?: IngressBackend
  readonly rules?: readonly IngressRule[]
  readonly tls?: readonly IngressTls[]
}

export interface IngressStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] }
}

export type Ingress = KubeObject<IngressSpec, IngressStatus>

export type IngressClass = KubeObject<{ readonly controller?: string; readonly parameters?: unknown }, never>
