/** What a feature of a VirtualService's HTTP route contributes to an Envoy route. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { Destination, HTTPMatchRequest, HTTPRoute } from '@lateen/api'
import type { RouteActionSchema, RouteSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { EffectiveRule, MeshSettings, RouteSemantics, Service } from '@lateen/model'
import type { Offer } from '../builders/upstream-protocol.ts'

export type RouteInit = Partial<Exclude<MessageInitShape<typeof RouteSchema>, { $typeName: string }>>
export type RouteActionInit = Partial<Exclude<MessageInitShape<typeof RouteActionSchema>, { $typeName: string }>>

/** Where a destination leads. */
export interface Target {
  readonly cluster: string
  readonly service: Service | undefined
  readonly port: number
  readonly rule: EffectiveRule | undefined
  /** What requests offer in the TLS handshake for themselves. */
  readonly offer: Offer | undefined
}

export interface RouteContext {
  readonly settings: MeshSettings
  /** The port on which the request was taken. */
  readonly listenPort: number
  readonly gateway: boolean
  /** The caller's TLS ends here. */
  readonly encrypted: boolean
  readonly semantics: RouteSemantics
  /** The match of this Envoy route: a VirtualService route with several matches becomes several. */
  readonly match: HTTPMatchRequest | undefined
  resolve(destination: Destination): Target
}

export interface RouteContribution {
  readonly route?: RouteInit
  /** Fields of the forwarding action; ignored for redirects and direct responses. */
  readonly action?: RouteActionInit
  /** Per-route settings of HTTP filters, by filter name. */
  readonly filters?: Readonly<Record<string, Any>>
}

export type RouteFeature = (route: HTTPRoute, at: RouteContext) => RouteContribution | undefined
