/** Leader election through a Lease: of many replicas, at most one acts for a given task. */
import type { KubeObject, ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { isConflict, isNotFound } from './errors.ts'
import type { KubeClient } from './types.ts'

export const LEASE: ResourceType = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', namespaced: true }

export interface ElectionOptions {
  readonly namespace: string
  readonly name: string
  /** Who this replica is; must differ between replicas. */
  readonly identity: string
  /** After this long without renewal another replica takes over. Default 15 s. */
  readonly leaseDurationMs?: number
  /** Between two attempts. Default 2 s; it must be well below the duration. */
  readonly retryMs?: number
}

export interface Election {
  readonly isLeader: boolean
  /** Gives up leadership, at once for the others as well, and takes no more part. */
  stop(): Promise<void>
}

interface LeaseSpec {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

/**
 * Takes part in an election. `lead` is called when this replica becomes leader; its signal aborts when leadership ends, which
 * is at the latest when the lease would have run out by this replica's own clock.
 */
export function electLeader(client: KubeClient, options: ElectionOptions, lead: (signal: AbortSignal) => void): Election {
  return new LeaseElection(client, options, lead)
}

class LeaseElection implements Election {
  readonly #client: KubeClient
  readonly #options: ElectionOptions
  readonly #lead: (signal: AbortSignal) => void
  readonly #duration: number
  readonly #retry: number
  readonly #log = logger('leader')
  #leading: AbortController | undefined
  #renewedAt = 0
  /** What was last seen of another holder, and when by our own clock: clocks of replicas are not compared. */
  #seen = { renewTime: '', at: 0 }
  #stopped = false
  #timer: NodeJS.Timeout | undefined
  #attempt: Promise<void>

  constructor(client: KubeClient, options: ElectionOptions, lead: (signal: AbortSignal) => void) {
    this.#client = client
    this.#options = options
    this.#lead = lead
    this.#duration = options.leaseDurationMs ?? 15_000
    this.#retry = options.retryMs ?? 2_000
    this.#attempt = this.#try()
  }

  get isLeader(): boolean {
    return this.#leading !== undefined
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#attempt
    if (!this.isLeader) return
    this.#resign('stopped')
    try {
      const lease = await this.#read()
      if (lease && specOf(lease).holderIdentity === this.#options.identity) {
        await this.#client.update(LEASE, { ...lease, spec: { ...specOf(lease), holderIdentity: '', leaseDurationSeconds: 1 } })
      }
    } catch (error) {
      this.#log.debug(`lease ${this.#options.name} was not released: ${textOf(error)}`)
    }
  }

  async #try(): Promise<void> {
    try {
      if (await this.#acquireOrRenew()) this.#won()
      else this.#resign('another replica holds the lease')
    } catch (error) {
      // A conflict means that another replica was faster; everything else may pass before the lease runs out.
      if (!isConflict(error)) this.#log.info(`lease ${this.#options.name}: ${textOf(error)}`)
      if (performance.now() - this.#renewedAt > this.#duration * 0.66) this.#resign('the lease could not be renewed')
    }
    if (this.#stopped) return
    this.#timer = setTimeout(
      () => {
        this.#attempt = this.#try()
      },
      this.#retry * (0.8 + Math.random() * 0.4),
    )
    this.#timer.unref()
  }

  async #acquireOrRenew(): Promise<boolean> {
    const startedAt = performance.now()
    const lease = await this.#read()
    const now = new Date().toISOString().replace('Z', '000Z')
    const mine = { holderIdentity: this.#options.identity, leaseDurationSeconds: Math.ceil(this.#duration / 1000), renewTime: now }
    if (!lease) {
      await this.#client.create(LEASE, this.#object({ ...mine, acquireTime: now, leaseTransitions: 0 }))
    } else {
      const spec = specOf(lease)
      const held = spec.holderIdentity === this.#options.identity
      if (!held && !this.#expired(spec)) return false
      const taken = held ? {} : { acquireTime: now, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 }
      // The resourceVersion goes along, so that of two replicas only one succeeds.
      await this.#client.update(LEASE, { ...lease, spec: { ...spec, ...mine, ...taken } })
    }
    this.#renewedAt = startedAt
    return true
  }

  #expired(spec: LeaseSpec): boolean {
    if (!spec.holderIdentity) return true
    const renewTime = `${spec.holderIdentity} ${spec.renewTime ?? ''}`
    if (renewTime !== this.#seen.renewTime) this.#seen = { renewTime, at: performance.now() }
    return performance.now() - this.#seen.at > (spec.leaseDurationSeconds ?? 15) * 1000
  }

  async #read(): Promise<KubeObject | undefined> {
    try {
      return await this.#client.get(LEASE, this.#options.namespace, this.#options.name)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #won(): void {
    if (this.#leading || this.#stopped) return
    this.#leading = new AbortController()
    this.#log.info(`this replica now leads ${this.#options.name}`, { identity: this.#options.identity })
    this.#lead(this.#leading.signal)
  }

  #resign(why: string): void {
    if (!this.#leading) return
    this.#log.info(`this replica no longer leads ${this.#options.name}: ${why}`)
    this.#leading.abort()
    this.#leading = undefined
  }

  #object(spec: LeaseSpec): KubeObject {
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: this.#options.name, namespace: this.#options.namespace },
      spec,
    }
  }
}

function specOf(lease: KubeObject): LeaseSpec {
  return typeof lease.spec === 'object' && lease.spec !== null ? { ...lease.spec } : {}
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
