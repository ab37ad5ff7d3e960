/** Empties namespaces that are being deleted, and lets them go when nothing is left. */
import { logger } from '@lateen/base'
import { ADMIN } from '../auth/user.ts'
import { StatusError } from '../errors.ts'
import type { Core, WriteOptions } from '../handlers/core.ts'
import { deleteObject } from '../handlers/delete.ts'
import { updateObject } from '../handlers/write.ts'
import { at, list, now, type Obj, obj, objs } from '../values.ts'

const log = logger('apiserver')
const RETRY_AFTER = 1000

export class NamespaceFinalizer {
  readonly #core: Core
  readonly #terminating = new Set<string>()
  readonly #queued = new Set<string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #end: () => void
  #ends: Array<() => void> = []
  #watched = new Set<string>()
  #stopped = false

  constructor(core: Core) {
    this.#core = core
    const namespaces = core.store.collection('/namespaces')
    for (const record of namespaces.list()) this.#look(record.object, record.name)
    this.#end = namespaces.watch(core.store.revision, (event) => {
      if (event.type === 'DELETED') this.#terminating.delete(event.record.name)
      else this.#look(event.record.object, event.record.name)
    })
  }

  #look(namespace: Obj, name: string): void {
    if (at(namespace, 'metadata', 'deletionTimestamp') === undefined) return
    this.#terminating.add(name)
    this.#queue(name)
  }

  #queue(name: string): void {
    if (this.#queued.has(name) || this.#stopped) return
    this.#queued.add(name)
    setImmediate(() => {
      this.#queued.delete(name)
      void this.#empty(name).catch((error: unknown) => {
        log.warn(`namespace ${name} is not emptied yet`, { error })
        this.#later(name)
      })
    })
  }

  #later(name: string): void {
    if (this.#stopped) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#queue(name)
    }, RETRY_AFTER)
    timer.unref()
    this.#timers.add(timer)
  }

  /** Deletions in the namespace may be the last one that was waited for. */
  #watchAll(): void {
    for (const collection of this.#core.store.collections()) {
      if (this.#watched.has(collection.name)) continue
      this.#watched.add(collection.name)
      this.#ends.push(
        collection.watch(this.#core.store.revision, (event) => {
          if (event.type === 'DELETED' && this.#terminating.has(event.record.namespace)) this.#queue(event.record.namespace)
        }),
      )
    }
  }

  async #empty(name: string): Promise<void> {
    const record = this.#core.store.collection('/namespaces').get(name)
    if (this.#stopped || !record || at(record.object, 'metadata', 'deletionTimestamp') === undefined) return
    this.#watchAll()
    const options: WriteOptions = {
      user: ADMIN,
      dryRun: false,
      fieldManager: 'namespace-finalizer',
      fieldValidation: 'Ignore',
      warn: () => undefined,
      signal: new AbortController().signal,
    }
    const left: string[] = []
    const collections = this.#core.store.collections()
    // Controllers first, so that they do not make again what goes.
    const rank = (collection: string) =>
      collection === '/pods' ? 2 : collection.startsWith('apps/') || collection.startsWith('batch/') ? 0 : 1
    for (const collection of [...collections].sort((a, b) => rank(a.name) - rank(b.name))) {
      if (collection.name === '/events') continue
      const kind = this.#core.registry.stored(collection.name)
      for (const item of collection.list(name)) {
        if (!kind) {
          this.#core.store.remove(collection, item)
          continue
        }
        try {
          if (at(item.object, 'metadata', 'deletionTimestamp') === undefined)
            await deleteObject(this.#core, kind, name, item.name, { propagationPolicy: 'Background' }, options)
        } catch (error) {
          if (!(error instanceof StatusError) || error.code !== 404) throw error
        }
        if (collection.get(item.key)) left.push(`${kind.plural} ${item.name}`)
      }
    }
    if (left.length > 0) {
      await this.#report(name, left, options)
      // A finalizer may be taken off without a deletion in between.
      this.#later(name)
      return
    }
    for (const collection of collections) for (const item of collection.list(name)) this.#core.store.remove(collection, item)
    const kind = this.#core.registry.find('', 'v1', 'namespaces')
    if (!kind) return
    await updateObject(
      this.#core,
      kind,
      {
        namespace: '',
        name,
        subresource: 'finalize',
        retry: true,
        change: (namespace) => {
          const spec = obj(namespace['spec'])
          return { ...namespace, spec: { ...spec, finalizers: list(spec['finalizers']).filter((f) => f !== 'kubernetes') } }
        },
      },
      options,
    )
  }

  async #report(name: string, left: readonly string[], options: WriteOptions): Promise<void> {
    const kind = this.#core.registry.find('', 'v1', 'namespaces')
    const record = this.#core.store.collection('/namespaces').get(name)
    if (!kind || !record) return
    const message = `Some resources are remaining: ${left.slice(0, 10).join(', ')}${left.length > 10 ? ` and ${left.length - 10} more` : ''}`
    const conditions = objs(at(record.object, 'status', 'conditions'))
    if (conditions.some((c) => c['type'] === 'NamespaceContentRemaining' && c['message'] === message)) return
    const condition = {
      type: 'NamespaceContentRemaining',
      status: 'True',
      lastTransitionTime: now(),
      reason: 'SomeResourcesRemain',
      message,
    }
    await updateObject(
      this.#core,
      kind,
      {
        namespace: '',
        name,
        subresource: 'status',
        retry: true,
        change: (namespace) => ({
          ...namespace,
          status: { ...obj(namespace['status']), conditions: [...conditions.filter((c) => c['type'] !== condition.type), condition] },
        }),
      },
      options,
    )
  }

  stop(): void {
    this.#stopped = true
    this.#end()
    for (const end of this.#ends) end()
    for (const timer of this.#timers) clearTimeout(timer)
  }
}
