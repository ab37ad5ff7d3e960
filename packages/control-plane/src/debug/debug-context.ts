/** What debug pages read; all of it as it stands when a page is asked for. */
import type { Diagnostic } from '@lateen/base'
import type { ConfigSource } from '@lateen/config'
import type { MeshInspection } from '@lateen/translate'
import type { ConnectionStatus } from '@lateen/xds'
import type { UnservedCaller } from '../certificates/unserved-callers.ts'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'
import type { OpenSession } from '../xds/mesh-source.ts'

export interface DebugContext {
  readonly clusterId: string
  readonly rootNamespace: () => string
  readonly connections: () => readonly ConnectionStatus[]
  readonly source: () => ConfigSource
  readonly mesh: () => MeshDocuments
  /** Undefined while the control plane starts. */
  readonly inspect: () => MeshInspection | undefined
  readonly diagnostics: () => readonly Diagnostic[]
  /** Texts of the injection templates by name; those that are built in are named only. */
  readonly templates: () => Readonly<Record<string, string>>
  /** Workloads that ask for a certificate and get none. */
  readonly unserved: () => readonly UnservedCaller[]
  readonly find: (proxyId: string) => OpenSession | undefined
}
