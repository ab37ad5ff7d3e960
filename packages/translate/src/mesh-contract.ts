/** What the control plane sees of translation: objects in, sessions with encoded resources out. */
import type { KubeObject, MeshProxyConfig } from '@lateen/api'
import type { Diagnostic, ObjectRef } from '@lateen/base'
import type { ResourceSet } from '@lateen/envoy'
import type { KeySetRequest, WantedStatus } from '@lateen/model'
import type { MeshInspection } from './inspection.ts'

/** One change of one object. Kinds are told apart by `group/kind` of the object. */
export interface ConfigChange {
  readonly operation: 'set' | 'delete'
  readonly object: KubeObject
}

/** The node as the translation needs it; the xDS server's `XdsNode` fits. */
export interface ProxyNode {
  readonly id: string
  readonly cluster: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string }
  readonly userAgentName: string
  readonly userAgentVersion: string
}

export interface StatusWatch {
  value(): ReadonlyMap<string, WantedStatus>
  close(): void
}

export interface ProxySession {
  resources(typeUrl: string): ResourceSet
  close(): void
}

/**
 * A whole mesh as a value: configuration is applied in batches, sessions read what follows from it. Pure: no clock, no I/O;
 * `onChange` of a session is called, synchronously at the end of a batch, when one of its sets may have changed.
 */
export interface MeshState {
  /** Applies a batch; a bad object becomes a diagnostic and changes nothing else. */
  apply(changes: Iterable<ConfigChange>): void
  /** Replaces the mesh configuration: the parsed `mesh` document, over the defaults. */
  setMeshConfig(config: unknown): void
  /** Replaces the mesh networks: the parsed `meshNetworks` document. */
  setMeshNetworks(networks: unknown): void
  /** The public keys that somebody must fetch, as of the last batch; the same list as before when nothing changed. */
  wantedKeySets(): readonly KeySetRequest[]
  /**
   * Gives fetched keys (JSON Web Key Sets, as text) by the name of their request; undefined takes them away. Until keys are there,
   * and after, no token of their issuer is accepted.
   */
  setKeySets(sets: Iterable<readonly [id: string, keys: string | undefined]>): void
  open(node: ProxyNode, options: { readonly vhds: boolean }, onChange: () => void): ProxySession
  /**
   * What the statuses of objects should say, by `group/kind namespace/name`, kept up to date until closed; `onChange` is called at the
   * end of each batch that changed one. A status that stays the same stays the same object.
   */
  watchStatuses(onChange: (statuses: ReadonlyMap<string, WantedStatus>) => void): StatusWatch
  /** What ProxyConfig objects say of the proxy of a workload, for injection. */
  proxyConfig(namespace: string, labels: Readonly<Record<string, string>>): MeshProxyConfig
  /** The objects that a resource was made from, by what was read when it was made. */
  origins(session: ProxySession, typeUrl: string, name: string): readonly ObjectRef[]
  /** What the mesh makes of the configuration, for debug pages. */
  inspect(): MeshInspection
  /** The objects that hold for a proxy as a whole: its Sidecar, the PeerAuthentications of its workload. */
  governing(session: ProxySession): readonly ObjectRef[]
  /** What is wrong with the configuration as it stands, in a stable order. */
  diagnostics(): readonly Diagnostic[]
}
