/** What a feature of a DestinationRule's traffic policy contributes to a cluster. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { TrafficPolicy } from '@lateen/api'
import type { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { MeshSettings, Service, ServicePort } from '@lateen/model'

export type ClusterInit = Partial<Exclude<MessageInitShape<typeof ClusterSchema>, { $typeName: string }>>
export type HttpOptionsInit = Partial<Exclude<MessageInitShape<typeof HttpProtocolOptionsSchema>, { $typeName: string }>>

export interface ClusterContext {
  readonly service: Service
  readonly port: ServicePort
  readonly subset: string
  readonly settings: MeshSettings
  /** The cluster is built for a gateway. */
  readonly gateway: boolean
  /** Identities of the endpoints' service accounts. */
  readonly identities: readonly string[]
  /** There are endpoints, and all of them take mutual TLS: where the address dialled is kept, nothing tells them apart. */
  readonly allMutual: boolean
  /** The rule is for chosen clients only (`workloadSelector`). */
  readonly ruleSelects: boolean
}

export interface ClusterContribution {
  readonly cluster?: ClusterInit
  /** Fields of the HTTP protocol options; their protocol choice is the builder's. */
  readonly http?: HttpOptionsInit
  readonly commonLb?: ClusterInit['commonLbConfig']
}

/** Reads one topic of a policy; nothing when the policy is silent on it and no default applies. */
export type ClusterFeature = (policy: TrafficPolicy, at: ClusterContext) => ClusterContribution | undefined
