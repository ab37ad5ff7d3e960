/** A mesh described in one YAML text: settings, a proxy, objects; and what the translation makes of it for that proxy. */
import { fromBinary, toJson } from '@bufbuild/protobuf'
import type { KubeObject } from '@lateen/api'
import { type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { envoyRegistry } from '@lateen/envoy/registry'
import { createMesh, DEFAULT_MESH, type MeshOptions, type MeshState, type ProxySession } from '@lateen/translate'
import { parseAllDocuments } from 'yaml'

/** The first document of a case. Unknown fields are refused, so that a typing mistake does not go unseen. */
export interface CaseHeader {
  /** MeshConfig. */
  readonly mesh?: Readonly<Record<string, unknown>>
  /** What is set for the whole control plane. */
  readonly switches?: MeshOptions['switches']
  readonly proxy?: CaseProxy
  /**
   * Which resources the expected output lists, by type (`clusters`, `endpoints`, `listeners`, `routes`, `virtualHosts`, `secrets`, `names`):
   * names, or beginnings of names that end in `*`.
   */
  readonly show?: Readonly<Record<string, readonly string[]>>
}

export interface CaseProxy {
  readonly type?: 'sidecar' | 'router'
  readonly name?: string
  readonly namespace?: string
  readonly ip?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Virtual hosts inside their route configurations, as for clients without VHDS. */
  readonly wholeRoutes?: boolean
}

export interface MeshCase {
  readonly header: CaseHeader
  readonly objects: readonly KubeObject[]
}

const HEADER_FIELDS = ['mesh', 'switches', 'proxy', 'show']

const CLUSTER_WIDE: ReadonlySet<string> = new Set(['Node', 'Namespace', 'IngressClass', 'GatewayClass'])

/** Reads a case: a header (optional) and objects, as YAML documents. Objects without a namespace are in `default`. */
export function readCase(text: string): MeshCase {
  const documents: unknown[] = parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0]
    return document.toJS()
  })
  const values = documents.filter((value) => value !== null && value !== undefined)
  const first = values[0]
  const hasHeader = typeof first === 'object' && first !== null && !('kind' in first)
  if (hasHeader)
    for (const field of Object.keys(first))
      if (!HEADER_FIELDS.includes(field))
        throw new Error(`the header of a case has no field "${field}"; it has ${HEADER_FIELDS.join(', ')}`)
  const objects = (hasHeader ? values.slice(1) : values) as KubeObject[]
  return {
    header: hasHeader ? (first as CaseHeader) : {},
    objects: objects.map((object) =>
      CLUSTER_WIDE.has(object.kind)
        ? object
        : { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? 'default' } },
    ),
  }
}

/** A mesh with fixed settings: cluster `Kubernetes`, domain and trust domain `cluster.local`, root namespace `istio-system`. */
export function newMesh(switches: MeshOptions['switches'] = {}): MeshState {
  return createMesh({
    switches,
    ...DEFAULT_MESH,
    onFault: (where, error) => {
      throw new Error(`${where} threw`, { cause: error })
    },
  })
}

/** A mesh that holds a case's objects. */
export function meshOf(meshCase: MeshCase): MeshState {
  const mesh = newMesh(meshCase.header.switches)
  mesh.setMeshConfig(meshCase.header.mesh ?? {})
  mesh.apply(meshCase.objects.map((object) => ({ operation: 'set', object })))
  return mesh
}

/** Opens a session for a proxy as an Envoy of the pinned version would. */
export function openProxy(mesh: MeshState, proxy: CaseProxy = {}, onChange: () => void = () => {}): ProxySession {
  const { type = 'sidecar', name = 'client-1', namespace = 'default', ip = '10.0.99.1', labels = {}, metadata = {} } = proxy
  return mesh.open(
    {
      id: `${type}~${ip}~${name}.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `client.${namespace}`,
      metadata: {
        NAMESPACE: namespace,
        LABELS: labels,
        INSTANCE_IPS: ip,
        CLUSTER_ID: 'Kubernetes',
        SERVICE_ACCOUNT: 'default',
        ...metadata,
      },
      locality: { region: '', zone: '', subZone: '' },
      userAgentName: 'envoy',
      userAgentVersion: '1.40.0',
    },
    { vhds: !proxy.wholeRoutes },
    onChange,
  )
}

/** Resource types as cases and outputs call them. */
export const SHOWN_TYPES = {
  clusters: TYPE_URL.CDS,
  endpoints: TYPE_URL.EDS,
  listeners: TYPE_URL.LDS,
  routes: TYPE_URL.RDS,
  virtualHosts: TYPE_URL.VHDS,
  secrets: TYPE_URL.SDS,
  names: TYPE_URL.NDS,
} as const

/** All resources of a set, by name, in name order. */
export function resourcesOf(set: ResourceSet): Map<string, Uint8Array> {
  const all = set.parts.flatMap((part) => [...part.values()])
  return new Map(all.sort((a, b) => (a.name < b.name ? -1 : 1)).map((resource) => [resource.name, resource.bytes]))
}

/** A resource as protobuf JSON. */
export function decodeResource(typeUrl: string, bytes: Uint8Array): unknown {
  const registry = envoyRegistry()
  const schema = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1))
  if (!schema) throw new Error(`${typeUrl} is not a generated message`)
  return toJson(schema, fromBinary(schema, bytes), { registry })
}
