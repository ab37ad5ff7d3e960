/**
 * A client without the network: the same requests, the same authorization and admission as over HTTP.
 *
 * Objects that it returns are the stored ones: read only. Its shape is that of `KubeClient` in `@lateen/kube`.
 */
import type { KubeObject, ResourceType } from '@lateen/api'
import type { User } from '../auth/user.ts'
import { StatusError } from '../errors.ts'
import { shownAs } from '../handlers/core.ts'
import { selectionOf, watchObjects } from '../handlers/read.ts'
import { type ApiServices, handleApi } from '../http/api.ts'
import type { ApiRequest } from '../http/request.ts'
import { copy, isObj, type Obj, obj, str } from '../values.ts'

export interface LocalListOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
}

export interface LocalWatchHandler<T extends KubeObject = KubeObject> {
  replace(objects: readonly T[]): void
  set(object: T): void
  delete(object: T): void
}

export type LocalWatchState = 'listing' | 'watching' | 'backing-off' | 'unavailable' | 'stopped'

export interface LocalListWatch {
  readonly state: LocalWatchState
  readonly synced: Promise<void>
  readonly lastError: Error | undefined
  stop(): void
}

type RequestOptions = { query?: Record<string, string>; contentType?: string; signal?: AbortSignal }

/** `KubeClient`, and a list-watch beside it. */
export class LocalClient {
  readonly #services: ApiServices
  readonly #user: User
  readonly #agent: string
  readonly #watches = new Set<LocalListWatch>()
  readonly #kindsChanged: (listener: () => void) => () => void

  constructor(services: ApiServices, user: User, agent: string, kindsChanged: (listener: () => void) => () => void) {
    this.#services = services
    this.#user = user
    this.#agent = agent
    this.#kindsChanged = kindsChanged
  }

  async get<T extends KubeObject = KubeObject>(type: ResourceType, namespace: string | undefined, name: string): Promise<T> {
    return this.request<T>('GET', pathOf(type, namespace, name))
  }

  async list<T extends KubeObject = KubeObject>(
    type: ResourceType,
    options: LocalListOptions = {},
  ): Promise<{ items: T[]; resourceVersion: string; continue?: string }> {
    const query = queryOf({
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: options.limit?.toString(),
      continue: options.continue,
      resourceVersion: options.resourceVersion,
    })
    const answer = await this.request<{ items: T[]; metadata: { resourceVersion: string; continue?: string } }>(
      'GET',
      pathOf(type, options.namespace),
      undefined,
      { query },
    )
    return {
      items: answer.items,
      resourceVersion: answer.metadata.resourceVersion,
      ...(answer.metadata.continue ? { continue: answer.metadata.continue } : {}),
    }
  }

  async create<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: KubeObject,
    options: { fieldManager?: string; dryRun?: boolean } = {},
  ): Promise<T> {
    const query = queryOf({ fieldManager: options.fieldManager, dryRun: options.dryRun ? 'All' : undefined })
    return this.request<T>('POST', pathOf(type, object.metadata.namespace), object, { query })
  }

  async update<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: KubeObject,
    options: { subresource?: string } = {},
  ): Promise<T> {
    return this.request<T>('PUT', pathOf(type, object.metadata.namespace, object.metadata.name, options.subresource), object)
  }

  async patch<T extends KubeObject = KubeObject>(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    patch: unknown,
    options: { type?: string; subresource?: string } = {},
  ): Promise<T> {
    return this.request<T>('PATCH', pathOf(type, namespace, name, options.subresource), patch, {
      contentType: options.type ?? 'application/merge-patch+json',
    })
  }

  async apply<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: KubeObject,
    options: { readonly fieldManager: string; readonly force?: boolean; readonly subresource?: 'status' },
  ): Promise<T> {
    const query = queryOf({ fieldManager: options.fieldManager, force: options.force ? 'true' : undefined })
    return this.request<T>('PATCH', pathOf(type, object.metadata.namespace, object.metadata.name, options.subresource), object, {
      query,
      contentType: 'application/apply-patch+yaml',
    })
  }

  async delete(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    options: { gracePeriodSeconds?: number; propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'; uid?: string } = {},
  ): Promise<void> {
    await this.request('DELETE', pathOf(type, namespace, name), {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
      ...(options.propagationPolicy === undefined ? {} : { propagationPolicy: options.propagationPolicy }),
      ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
    })
  }

  /** Any request; rejects with an error whose `code` and `reason` are those of the Status object. */
  async request<T = unknown>(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<T> {
    const answer = await handleApi(this.#services, this.#apiRequest(method, path, body, options))
    if ('object' in answer) return answer.object as T
    if ('text' in answer) {
      const parsed: unknown = answer.contentType.startsWith('application/json') ? JSON.parse(answer.text) : answer.text
      return parsed as T
    }
    if ('data' in answer) {
      const parsed: unknown = JSON.parse(Buffer.from(answer.data).toString())
      return parsed as T
    }
    throw new StatusError(400, 'BadRequest', `${path} answers with a stream; use stream()`)
  }

  /** A streamed answer (logs, a raw watch), chunk by chunk. */
  async stream(path: string, options: { query?: Record<string, string>; signal?: AbortSignal } = {}): Promise<AsyncIterable<Uint8Array>> {
    const answer = await handleApi(this.#services, this.#apiRequest('GET', path, undefined, options))
    const ended = new AbortController()
    options.signal?.addEventListener('abort', () => ended.abort(), { once: true })
    return chunksOf(answer, ended)
  }

  /**
   * Keeps a handler up to date with a kind: `replace` first, then each change. A kind that is not served yet is waited for.
   */
  watch<T extends KubeObject = KubeObject>(
    type: ResourceType,
    options: { namespace?: string; labelSelector?: string; fieldSelector?: string },
    handler: LocalWatchHandler<T>,
  ): LocalListWatch {
    const watch = new KindWatch<T>(this.#services, type, options, handler, this.#kindsChanged, () => this.#watches.delete(watch))
    this.#watches.add(watch)
    return watch
  }

  close(): void {
    for (const watch of [...this.#watches]) watch.stop()
  }

  #apiRequest(method: string, path: string, body: unknown, options: RequestOptions): ApiRequest {
    const question = path.indexOf('?')
    const query = new URLSearchParams(question < 0 ? '' : path.slice(question + 1))
    for (const [name, value] of Object.entries(options.query ?? {})) query.set(name, value)
    const headers: Record<string, string> = { 'user-agent': this.#agent, 'content-type': options.contentType ?? 'application/json' }
    return {
      method,
      path: question < 0 ? path : path.slice(0, question),
      query,
      header: (name) => headers[name],
      body: body === undefined ? undefined : { value: copy(body) },
      user: this.#user,
      signal: options.signal ?? new AbortController().signal,
    }
  }
}

function queryOf(values: Record<string, string | undefined>): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== '') result[name] = value
  return result
}

function pathOf(type: ResourceType, namespace?: string, name?: string, subresource?: string): string {
  const parts = [type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`]
  if (type.namespaced && namespace) parts.push('namespaces', encodeURIComponent(namespace))
  parts.push(type.plural)
  if (name) parts.push(encodeURIComponent(name))
  if (subresource) parts.push(subresource)
  return parts.join('/')
}

async function* chunksOf(answer: Awaited<ReturnType<typeof handleApi>>, ended: AbortController): AsyncIterable<Uint8Array> {
  if ('object' in answer) {
    yield Buffer.from(JSON.stringify(answer.object))
    return
  }
  if ('text' in answer || 'data' in answer) {
    yield 'data' in answer ? answer.data : Buffer.from(answer.text)
    return
  }
  const queue: Uint8Array[] = []
  let done = false
  let wake: () => void = () => undefined
  void answer.start(
    {
      write: (data) => {
        queue.push(typeof data === 'string' ? Buffer.from(data) : data)
        wake()
        return queue.length < 100_000
      },
      end: () => {
        done = true
        wake()
      },
    },
    ended.signal,
  )
  try {
    for (;;) {
      const next = queue.shift()
      if (next) yield next
      else if (done || ended.signal.aborted) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
          ended.signal.addEventListener('abort', () => resolve(), { once: true })
        })
    }
  } finally {
    ended.abort()
  }
}

/** `listing → watching`; back to `unavailable` when the kind's CRD goes, and from there again when it comes. */
class KindWatch<T extends KubeObject> implements LocalListWatch {
  state: LocalWatchState = 'listing'
  lastError: Error | undefined
  readonly synced: Promise<void>
  readonly #services: ApiServices
  readonly #type: ResourceType
  readonly #options: { namespace?: string; labelSelector?: string; fieldSelector?: string }
  readonly #handler: LocalWatchHandler<T>
  readonly #onStop: () => void
  readonly #unlisten: () => void
  #markSynced: () => void = () => undefined
  #end: (() => void) | undefined
  #served: unknown

  constructor(
    services: ApiServices,
    type: ResourceType,
    options: { namespace?: string; labelSelector?: string; fieldSelector?: string },
    handler: LocalWatchHandler<T>,
    kindsChanged: (listener: () => void) => () => void,
    onStop: () => void,
  ) {
    this.#services = services
    this.#type = type
    this.#options = options
    this.#handler = handler
    this.#onStop = onStop
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve
    })
    this.#unlisten = kindsChanged(() => this.#start())
    // Never inside the caller's own call: it may not be ready for events yet.
    queueMicrotask(() => this.#start())
  }

  #start(): void {
    if (this.state === 'stopped') return
    const { group, version, plural } = this.#type
    const { core } = this.#services
    const kind = core.registry.find(group, version, plural)
    if (kind && kind === this.#served) return
    this.#end?.()
    this.#end = undefined
    this.#served = kind
    if (!kind) {
      const was = this.state
      this.state = 'unavailable'
      if (was === 'watching') this.#handler.replace([])
      this.#markSynced()
      return
    }
    this.state = 'listing'
    try {
      const query = new URLSearchParams(queryOf({ labelSelector: this.#options.labelSelector, fieldSelector: this.#options.fieldSelector }))
      const selection = selectionOf(kind, this.#options.namespace, query)
      let initial: T[] | undefined = []
      const end = watchObjects(
        core,
        kind,
        selection,
        { resourceVersion: '', sendInitialEvents: true, bookmarks: false },
        {
          event: (type, stored) => {
            const object = typed<T>(shownAs(kind, stored))
            if (initial) initial.push(object)
            else if (type === 'DELETED') this.#handler.delete(object)
            else this.#handler.set(object)
          },
          bookmark: () => undefined,
        },
      )
      const first = initial
      initial = undefined
      this.#end = end
      this.state = 'watching'
      this.#handler.replace(first)
    } catch (error) {
      this.lastError = error instanceof Error ? error : new Error(String(error))
      this.state = 'unavailable'
    }
    this.#markSynced()
  }

  stop(): void {
    this.state = 'stopped'
    this.#end?.()
    this.#unlisten()
    this.#markSynced()
    this.#onStop()
  }
}

/** Stored objects have passed their kind's checks. */
function typed<T extends KubeObject>(object: Obj): T {
  if (!isObj(object['metadata']) || str(obj(object['metadata'])['name']) === '') throw new Error('a stored object has no name')
  return object as unknown as T
}
