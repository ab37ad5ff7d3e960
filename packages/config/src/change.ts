/** What sources tell: batches of changes of single objects. */
import type { KubeObject } from '@lateen/api'

/** One change of one object. `delete` needs apiVersion, kind, namespace and name only. */
export interface ConfigChange {
  readonly operation: 'set' | 'delete'
  readonly object: KubeObject
}

/** Receives batches, in order. What belongs together (a list, a file, the lines of one read) comes in one batch. */
export type ConfigSink = (changes: readonly ConfigChange[]) => void

/** How one part of a source is doing, for debug pages and readiness messages. */
export interface SourceStatus {
  readonly name: string
  readonly state: string
  readonly objects: number
  readonly error?: string
}

/** Where configuration comes from. It begins to tell when it is started, and restarts itself after errors until stopped. */
export interface ConfigSource {
  start(sink: ConfigSink): void
  /** Resolves when everything that was there at the start has been told. */
  readonly synced: Promise<void>
  status(): readonly SourceStatus[]
  /** What it holds now, for debug pages. */
  objects(): Iterable<KubeObject>
  stop(): void
}

/** `networking.istio.io/VirtualService/shop/cart`: an object's key over all kinds; versions of a kind are one kind. */
export function changeKey(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): string {
  const slash = object.apiVersion.indexOf('/')
  return `${slash < 0 ? '' : object.apiVersion.slice(0, slash)}/${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
}
