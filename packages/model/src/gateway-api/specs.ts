/** The fields of the Gateway API's kinds that the model reads. */
import type { LabelSelector } from '@lateen/api'

export interface ParentReference {
  readonly group?: string
  readonly kind?: string
  readonly namespace?: string
  readonly name: string
  readonly sectionName?: string
  readonly port?: number
}

export interface ObjectReference {
  readonly group?: string
  readonly kind?: string
  readonly namespace?: string
  readonly name: string
}

export interface BackendReference extends ObjectReference {
  readonly port?: number
  readonly weight?: number
  readonly filters?: readonly RouteFilter[]
}

export interface Match {
  readonly type?: string
  readonly name: string
  readonly value: string
}

export interface HttpMatch {
  readonly path?: { readonly type?: string; readonly value?: string }
  readonly headers?: readonly Match[]
  readonly queryParams?: readonly Match[]
  readonly method?: string
}

export interface GrpcMatch {
  readonly method?: { readonly type?: string; readonly service?: string; readonly method?: string }
  readonly headers?: readonly Match[]
}

export interface HeaderChanges {
  readonly set?: readonly { readonly name: string; readonly value: string }[]
  readonly add?: readonly { readonly name: string; readonly value: string }[]
  readonly remove?: readonly string[]
}

export interface PathChange {
  readonly type?: string
  readonly replaceFullPath?: string
  readonly replacePrefixMatch?: string
}

export interface RouteFilter {
  readonly type: string
  readonly requestHeaderModifier?: HeaderChanges
  readonly responseHeaderModifier?: HeaderChanges
  readonly requestMirror?: {
    readonly backendRef: BackendReference
    readonly percent?: number
    readonly fraction?: { readonly numerator: number; readonly denominator?: number }
  }
  readonly requestRedirect?: {
    readonly scheme?: string
    readonly hostname?: string
    readonly path?: PathChange
    readonly port?: number
    readonly statusCode?: number
  }
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathChange }
  readonly cors?: {
    readonly allowOrigins?: readonly string[]
    readonly allowMethods?: readonly string[]
    readonly allowHeaders?: readonly string[]
    readonly exposeHeaders?: readonly string[]
    readonly maxAge?: number
    readonly allowCredentials?: boolean
  }
}

export interface RouteRule<M> {
  readonly matches?: readonly M[]
  readonly filters?: readonly RouteFilter[]
  readonly backendRefs?: readonly BackendReference[]
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string }
  readonly retry?: { readonly codes?: readonly number[]; readonly attempts?: number; readonly backoff?: string }
}

export interface RouteSpec<M> {
  readonly parentRefs?: readonly ParentReference[]
  readonly hostnames?: readonly string[]
  readonly rules?: readonly RouteRule<M>[]
}

export interface ListenerSpec {
  readonly name: string
  readonly hostname?: string
  readonly port: number
  readonly protocol: string
  readonly tls?: {
    readonly mode?: string
    readonly certificateRefs?: readonly ObjectReference[]
    readonly options?: Readonly<Record<string, string>>
  }
  readonly allowedRoutes?: AllowedRoutes
}

export interface AllowedRoutes {
  readonly namespaces?: FromNamespaces
  readonly kinds?: readonly { readonly group?: string; readonly kind: string }[]
}

export interface FromNamespaces {
  readonly from?: string
  readonly selector?: LabelSelector
}

export interface FrontendValidation {
  readonly mode?: string
  readonly caCertificateRefs?: readonly ObjectReference[]
}

export interface GatewaySpecView {
  readonly gatewayClassName?: string
  readonly addresses?: readonly { readonly type?: string; readonly value?: string }[]
  readonly listeners?: readonly ListenerSpec[]
  readonly allowedListeners?: { readonly namespaces?: FromNamespaces }
  readonly tls?: {
    readonly frontend?: {
      readonly default?: { readonly validation?: FrontendValidation }
      readonly perPort?: readonly { readonly port: number; readonly tls?: { readonly validation?: FrontendValidation } }[]
    }
  }
}

export interface ListenerSetSpec {
  readonly parentRef?: ParentReference
  readonly listeners?: readonly ListenerSpec[]
}

export interface BackendTlsPolicySpec {
  readonly targetRefs?: readonly {
    readonly group?: string
    readonly kind: string
    readonly name: string
    /** The name of a port. */
    readonly sectionName?: string
  }[]
  readonly validation?: {
    readonly caCertificateRefs?: readonly { readonly group?: string; readonly kind: string; readonly name: string }[]
    readonly wellKnownCACertificates?: string
    readonly hostname: string
    readonly subjectAltNames?: readonly { readonly type: string; readonly hostname?: string; readonly uri?: string }[]
  }
}

export interface ReferenceGrantSpec {
  readonly from?: readonly { readonly group?: string; readonly kind?: string; readonly namespace?: string }[]
  readonly to?: readonly { readonly group?: string; readonly kind?: string; readonly name?: string }[]
}
