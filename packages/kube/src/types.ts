/** The contract of the Kubernetes client: what the control plane, the local cluster and the command line call. */
import type { KubeObject, ResourceType } from '@lateen/api'

export interface ListOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
}

/** A page of a list; `continue` names the next page and is absent on the last. Items carry their apiVersion and kind. */
export interface ListPage<T extends KubeObject = KubeObject> {
  readonly items: T[]
  readonly resourceVersion: string
  readonly continue?: string
}

export type PatchType = 'application/json-patch+json' | 'application/merge-patch+json' | 'application/strategic-merge-patch+json'

export interface ApplyOptions {
  readonly fieldManager: string
  readonly force?: boolean
  readonly subresource?: 'status'
}

/** One entry of a Status object's `details.causes`: which field, and why. */
export interface StatusCause {
  readonly field?: string
  readonly message?: string
  readonly reason?: string
}

/**
 * One API server with one identity. Every method rejects with {@link ApiError} (code = HTTP status, reason as in the Status
 * object) or {@link ConnectionError} (not reachable); reads are retried by callers, never here.
 */
export interface KubeClient {
  get<T extends KubeObject = KubeObject>(type: ResourceType, namespace: string | undefined, name: string): Promise<T>
  list<T extends KubeObject = KubeObject>(type: ResourceType, options?: ListOptions): Promise<ListPage<T>>
  create<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: KubeObject,
    options?: { fieldManager?: string; dryRun?: boolean },
  ): Promise<T>
  update<T extends KubeObject = KubeObject>(type: ResourceType, object: KubeObject, options?: { subresource?: string }): Promise<T>
  patch<T extends KubeObject = KubeObject>(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    patch: unknown,
    options?: { type?: PatchType; subresource?: string },
  ): Promise<T>
  apply<T extends KubeObject = KubeObject>(type: ResourceType, object: KubeObject, options: ApplyOptions): Promise<T>
  delete(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    options?: { gracePeriodSeconds?: number; propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'; uid?: string },
  ): Promise<void>
  /** Any request: TokenReview, TokenRequest, discovery, `/version`. The answer is parsed JSON. */
  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    options?: { query?: Record<string, string>; contentType?: string; signal?: AbortSignal },
  ): Promise<T>
  /** Raw streaming GET (watch, logs): the response body, chunk by chunk. */
  stream(path: string, options?: { query?: Record<string, string>; signal?: AbortSignal }): Promise<AsyncIterable<Uint8Array>>
  close(): void
}

/** What a list-watch tells its listener; `replace` comes first and again after every relist. */
export interface WatchHandler<T extends KubeObject = KubeObject> {
  replace(objects: readonly T[]): void
  set(object: T): void
  delete(object: T): void
}

/** `unavailable`: the kind is not served (its CRD is missing); asked for again from time to time. */
export type WatchState = 'listing' | 'watching' | 'backing-off' | 'unavailable' | 'stopped'

export interface ListWatch {
  readonly state: WatchState
  /** Resolves after the first `replace`, or when the kind turns out not to be served. */
  readonly synced: Promise<void>
  readonly lastError: Error | undefined
  /** Asks again at once when unavailable or backing off, as when a CRD has just appeared. */
  wake(): void
  stop(): void
}
