/** What all pods of the node share. */
import type { KubeClient } from '@lateen/kube'
import type { ImageCatalogue } from '../images/catalogue.ts'
import type { TokenSource } from '../volumes/volume-files.ts'
import type { ConfigSource } from './environment.ts'
import type { EventRecorder } from './event-recorder.ts'
import type { NodeFacts } from './field-values.ts'
import type { RootEntry } from './host-root.ts'
import type { ClusterNames } from './pod-files.ts'
import type { Mount } from './root-builder.ts'
import type { StateLayout } from './state-layout.ts'

export interface NodeContext {
  readonly client: KubeClient
  readonly layout: StateLayout
  readonly catalogue: ImageCatalogue
  readonly source: ConfigSource
  readonly tokens: TokenSource
  readonly events: EventRecorder
  readonly facts: NodeFacts
  readonly names: ClusterNames
  readonly bridge: string
  readonly gateway: string
  readonly rootPlan: readonly RootEntry[]
  readonly programMounts: readonly Mount[]
  /** The prepared `/dev`. */
  readonly dev: string
  /** Resolves when nobody makes new connections to the address by way of a Service, at the latest after `longest` milliseconds. */
  readonly avoided: (address: string, longest: number) => Promise<void>
  readonly rootless: boolean
  readonly manyIds: boolean
}
