/**
 * Keeps WorkloadEntries in step with the proxies that are connected: an entry is made for a workload of a WorkloadGroup, its health is
 * written as its agent reports it, and it goes when the workload stays away.
 *
 * All that concerns one entry is done in order. While the API server is away, proxies are served and it is tried again.
 */
import { type KubeObject, RESOURCE_TYPES, type WorkloadEntrySpec, type WorkloadGroupSpec } from '@lateen/api'
import { logger } from '@lateen/base'
import { isConflict, isNotFound, type KubeClient, statusCode } from '@lateen/kube'
import { SessionRefused, type XdsNode } from '@lateen/xds'
import {
  type Claim,
  claimOf,
  conditionsAfter,
  conditionsWithoutHealth,
  connected,
  connectedAt,
  DISCONNECTED_AT,
  disconnected,
  entryName,
  entryOfGroup,
  fateOf,
  isControlledBy,
  isRegistered,
  keyOf,
  objection,
  type ProvenAccount,
  takesReports,
} from './entry.ts'

export interface WorkloadEntryOptions {
  /** Entries are made for workloads of a WorkloadGroup. */
  readonly register: boolean
  /** Health is taken for entries that were written by hand. */
  readonly healthChecks: boolean
  /** The proven identity must be that of the entry. */
  readonly checkIdentity: boolean
  readonly graceMs: number
}

export interface RegistrationObserver {
  registered(): void
  updated(): void
  unregistered(): void
  deleted(): void
  failed(): void
}

export interface RegistryOptions extends WorkloadEntryOptions {
  readonly client: KubeClient
  /** Name of this control plane among its replicas. */
  readonly instance: string
  readonly maxAgeMs: number
  readonly observer: RegistrationObserver
}

/** One connection of a workload with an entry. */
export interface ConnectedWorkload {
  /** Rejects with SessionRefused when the workload may not be what it claims to be. */
  readonly registered: Promise<void>
  /** @param problem what is wrong; nothing when the workload is healthy */
  report(problem: string | undefined): void
  close(): void
}

export interface WorkloadRegistry {
  /** Nothing for a proxy that is beside no such workload. */
  connect(node: XdsNode, proven: ProvenAccount | undefined): ConnectedWorkload | undefined
  stop(): void
}

const log = logger('wle')
const { WorkloadEntry, WorkloadGroup } = RESOURCE_TYPES
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 10_000
const CONFLICTS = 5
/** How many periods of grace lie between two looks at all entries. */
const SWEEP = 10
const PAGE = 500

type Entry = KubeObject<WorkloadEntrySpec>

export function createWorkloadRegistry(options: RegistryOptions): WorkloadRegistry {
  return new Registry(options)
}

/** What is done for one entry, and for how many connections. */
interface Line {
  last: Promise<void>
  connections: number
}

class Registry implements WorkloadRegistry {
  readonly #options: RegistryOptions
  readonly #lines = new Map<string, Line>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #sweeping: NodeJS.Timeout
  #stopped = false

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP * options.graceMs).unref()
  }

  connect(node: XdsNode, proven: ProvenAccount | undefined): ConnectedWorkload | undefined {
    const { register, healthChecks } = this.#options
    const claim = claimOf(node)
    if (!claim || !(claim.group ? register : healthChecks)) return undefined
    const key = `${claim.namespace}/${entryName(claim)}`
    const since = Date.now()
    let isOpen = true
    let problem: { readonly text: string | undefined; readonly atMs: number } | undefined
    this.#line(key).connections += 1
    const registered = this.#next(key, () =>
      this.#persist(
        () => isOpen,
        () => this.#connected(claim, proven, since),
      ),
    )
    const settled = registered.catch(() => (isOpen = false))
    return {
      registered,
      report: (text) => {
        const isWaiting = problem !== undefined
        problem = { text, atMs: Date.now() }
        if (isWaiting) return
        void settled.then(() =>
          this.#next(key, async () => {
            const latest = problem
            problem = undefined
            if (isOpen && latest) await this.#reported(claim, latest.text, latest.atMs)
          }).catch((error: unknown) => log.warn(`the health of ${key} could not be written: ${textOf(error)}`)),
        )
      },
      close: () => {
        if (--this.#line(key).connections > 0 || !isOpen) return this.#forget(key)
        isOpen = false
        void settled
          .then(() => this.#next(key, () => this.#disconnected(claim, since)))
          .catch((error: unknown) => {
            this.#options.observer.failed()
            log.warn(`the end of ${key} could not be written: ${textOf(error)}`)
          })
      },
    }
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#sweeping)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #line(key: string): Line {
    let line = this.#lines.get(key)
    if (!line) this.#lines.set(key, (line = { last: Promise.resolve(), connections: 0 }))
    return line
  }

  /** Does something after all that was to be done for the entry before. */
  #next<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.#line(key)
    const result = line.last.then(work)
    const done = result.then(
      () => undefined,
      () => undefined,
    )
    line.last = done
    void done.then(() => line.last === done && this.#forget(key))
    return result
  }

  #forget(key: string): void {
    if (this.#lines.get(key)?.connections === 0) this.#lines.delete(key)
  }

  async #connected(claim: Claim, proven: ProvenAccount | undefined, since: number): Promise<void> {
    const { client, instance, observer } = this.#options
    const { namespace } = claim
    const name = entryName(claim)
    const existing = await this.#find(namespace, name)
    if (!existing) {
      if (!claim.group) throw new SessionRefused(`there is no WorkloadEntry ${namespace}/${name}, which the proxy says it is beside`)
      const { [DISCONNECTED_AT]: _, ...annotations } = connected(instance, since)
      const entry = entryOfGroup(claim, await this.#group(claim), annotations)
      this.#check(proven, entry)
      await client.create(WorkloadEntry, entry, { fieldManager: 'istiod' })
      observer.registered()
      log.info(`registered WorkloadEntry ${namespace}/${name}`, { proxy: claim.id, health: claim.isProbed })
      return
    }
    if (!claim.group && !takesReports(existing)) return
    this.#check(proven, existing)
    // Another connection of the workload, perhaps to another replica, is newer.
    if (since < connectedAt(existing)) return
    await client.patch(WorkloadEntry, namespace, name, { metadata: { annotations: connected(instance, since) } })
    if (claim.group) observer.updated()
  }

  #check(proven: ProvenAccount | undefined, entry: Entry): void {
    const reason = this.#options.checkIdentity ? objection(proven, entry) : undefined
    if (reason) throw new SessionRefused(reason)
  }

  async #group({ id, namespace, group }: Claim): Promise<KubeObject<WorkloadGroupSpec>> {
    try {
      return await this.#options.client.get<KubeObject<WorkloadGroupSpec>>(WorkloadGroup, namespace, group)
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#options.observer.failed()
      throw new SessionRefused(`${id} cannot be registered: there is no WorkloadGroup ${namespace}/${group}; create it`)
    }
  }

  async #reported(claim: Claim, problem: string | undefined, atMs: number): Promise<void> {
    await this.#change(claim.namespace, entryName(claim), 'status', (entry) =>
      isControlledBy(entry, this.#options.instance) ? { status: { conditions: conditionsAfter(entry, problem, atMs) } } : undefined,
    )
  }

  async #disconnected(claim: Claim, since: number): Promise<void> {
    const { namespace } = claim
    const name = entryName(claim)
    const written = await this.#change(namespace, name, undefined, (entry) => {
      const isLast = isControlledBy(entry, this.#options.instance) && !(connectedAt(entry) > since)
      return isLast ? { metadata: { annotations: disconnected(Date.now()) } } : undefined
    })
    if (!written || this.#stopped) return
    if (claim.group) this.#options.observer.unregistered()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#next(`${namespace}/${name}`, async () => this.#cleanUp(await this.#find(namespace, name))).catch((error: unknown) =>
        log.warn(`WorkloadEntry ${namespace}/${name} could not be cleaned up: ${textOf(error)}`),
      )
    }, this.#options.graceMs)
    this.#timers.add(timer.unref())
  }

  async #cleanUp(entry: Entry | undefined): Promise<void> {
    if (!entry) return
    const { namespace = '', name, uid } = entry.metadata
    switch (fateOf(entry, Date.now(), this.#options)) {
      case 'stays':
        return
      case 'loses its health':
        await this.#change(namespace, name, 'status', (current) => ({ status: { conditions: conditionsWithoutHealth(current) } }))
        return
      case 'goes':
        await this.#options.client.delete(WorkloadEntry, namespace, name, uid ? { uid } : {}).catch(unlessGone)
        this.#options.observer.deleted()
        log.info(`deleted WorkloadEntry ${namespace}/${name}, whose workload has not come back`)
    }
  }

  /** Entries that this control plane has lost sight of, as by a restart, and those that others have. */
  async #sweep(): Promise<void> {
    try {
      for await (const entry of this.#all()) {
        const { namespace = '', name } = entry.metadata
        const key = keyOf(entry)
        const isLost =
          isRegistered(entry) && isControlledBy(entry, this.#options.instance) && connectedAt(entry) > 0 && !this.#lines.has(key)
        await this.#next(key, async () => {
          if (isLost) await this.#change(namespace, name, undefined, () => ({ metadata: { annotations: disconnected(Date.now()) } }))
          else await this.#cleanUp(entry)
        })
      }
    } catch (error) {
      log.warn(`WorkloadEntries could not be looked through: ${textOf(error)}`)
    }
  }

  async *#all(): AsyncGenerator<Entry> {
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: { readonly items: Entry[]; readonly continue?: string } = await this.#options.client.list<Entry>(WorkloadEntry, {
        limit: PAGE,
        ...(next && { continue: next }),
      })
      yield* page.items
      next = page.continue
    }
  }

  async #find(namespace: string, name: string): Promise<Entry | undefined> {
    return this.#options.client.get<Entry>(WorkloadEntry, namespace, name).catch(unlessGone)
  }

  /** Patches an entry as it is; again when somebody else was quicker. @returns whether there was anything to change */
  async #change(
    namespace: string,
    name: string,
    subresource: 'status' | undefined,
    patchOf: (entry: Entry) => { readonly metadata?: object; readonly status?: object } | undefined,
  ): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      const entry = await this.#find(namespace, name)
      const patch = entry && patchOf(entry)
      if (!patch) return false
      const { resourceVersion } = entry.metadata
      try {
        await this.#options.client.patch(
          WorkloadEntry,
          namespace,
          name,
          { ...patch, metadata: { ...patch.metadata, resourceVersion } },
          subresource ? { subresource } : {},
        )
        return true
      } catch (error) {
        if (!isConflict(error) || tries >= CONFLICTS) throw error
      }
    }
  }

  /** Tries until it is done, refused, or no longer wanted. */
  async #persist(isWanted: () => boolean, work: () => Promise<void>): Promise<void> {
    for (let wait = FIRST_RETRY_MS; isWanted() && !this.#stopped; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof SessionRefused) throw error
        this.#options.observer.failed()
        log.warn(`a workload could not be registered; it is tried again: ${textOf(error)}`)
        await this.#pause(statusCode(error) === 409 ? 0 : wait)
      }
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        resolve()
      }, milliseconds)
      this.#timers.add(timer.unref())
    })
  }
}

function unlessGone(error: unknown): undefined {
  if (!isNotFound(error)) throw error
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
