/** The kinds that a mesh reads from Kubernetes, and how each is read. */
import { KINDS, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import {
  type Projection,
  projectConfig,
  projectConfigMap,
  projectEndpointSlice,
  projectIngress,
  projectNamespace,
  projectNode,
  projectPod,
  projectSecret,
  projectService,
  projectServiceEntry,
  projectWorkloadEntry,
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

const types = RESOURCE_TYPES

/** Istio's kinds, each in the version in which it is read. */
export const ISTIO_TYPES: readonly ResourceType[] = KINDS.map(({ group, kind, plural, namespaced, versions }) => ({
  group,
  version: versions[0]?.name ?? 'v1',
  kind,
  plural,
  namespaced,
}))

export const GATEWAY_API_TYPES: readonly ResourceType[] = [
  types.GatewayClass,
  types.KubernetesGateway,
  types.HTTPRoute,
  types.GRPCRoute,
  types.TCPRoute,
  types.TLSRoute,
  types.ListenerSet,
  types.ReferenceGrant,
  types.BackendTLSPolicy,
]

const required = (type: ResourceType, project: Projection, extra: Partial<WatchedKind> = {}): WatchedKind => ({
  type,
  project,
  optional: false,
  ...extra,
})
const optional = (type: ResourceType, project: Projection, extra: Partial<WatchedKind> = {}): WatchedKind => ({
  type,
  project,
  optional: true,
  ...extra,
})

/** Istio's kinds of which more than the spec is read. */
const ISTIO_PROJECTIONS: Readonly<Record<string, Projection>> = { ServiceEntry: projectServiceEntry, WorkloadEntry: projectWorkloadEntry }

/** Everything that the mesh reads. Custom kinds are optional: a mesh of Services alone is a mesh. */
export const MESH_KINDS: readonly WatchedKind[] = [
  required(types.Namespace, projectNamespace),
  required(types.Node, projectNode),
  required(types.Service, projectService),
  required(types.EndpointSlice, projectEndpointSlice),
  required(types.Pod, projectPod),
  // A Helm release is a Secret of up to a megabyte; small pages keep the others from being read in one piece as well.
  required(types.Secret, projectSecret, { fieldSelector: 'type!=helm.sh/release.v1', pageSize: 100 }),
  optional(types.ConfigMap, projectConfigMap, { pageSize: 100 }),
  optional(types.Ingress, projectIngress),
  optional(types.IngressClass, projectConfig),
  ...ISTIO_TYPES.map((istio) => optional(istio, ISTIO_PROJECTIONS[istio.kind] ?? projectConfig)),
  ...GATEWAY_API_TYPES.map((gateway) => optional(gateway, projectConfig)),
]
