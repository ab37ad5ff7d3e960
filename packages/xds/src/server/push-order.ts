/**
 * The order in which configuration reaches one client, so that nothing is ever used before it is there or after it has gone.
 *
 * Clusters, listeners, route configurations and virtual hosts go out in waves. A wave takes a snapshot of all four sets and walks
 *
 *     clusters added → endpoints they need → listeners → route configurations → virtual hosts → clusters removed
 *
 * and goes on when the client has answered. What changes meanwhile waits for the next wave, which starts from the newest state.
 * Endpoints and all other types are outside of waves and never wait for them.
 */
import { isAnsweredLater, TYPE_URL } from '@lateen/envoy'
import type { ResourceSet } from '../resource-source.ts'
import { endpointsOf, takesVirtualHosts } from './contents.ts'
import type { NameSet } from './names.ts'
import type { PushKey } from './pushes.ts'
import type { Mode, Outgoing, Subscription } from './subscription.ts'

interface Step {
  readonly typeUrl: string
  readonly mode: Mode
}

const STEPS: readonly Step[] = [
  { typeUrl: TYPE_URL.CDS, mode: 'additions' },
  { typeUrl: TYPE_URL.LDS, mode: 'all' },
  { typeUrl: TYPE_URL.RDS, mode: 'all' },
  { typeUrl: TYPE_URL.VHDS, mode: 'all' },
  { typeUrl: TYPE_URL.CDS, mode: 'all' },
]

const IN_WAVES: ReadonlySet<string> = new Set(STEPS.map((step) => step.typeUrl))

const PARENTS: PushKey<NameSet> = { name: 'parents of virtual hosts' }

export interface PushOrderHost {
  readonly subscriptions: ReadonlyMap<string, Subscription>
  /** The newest set of a type. */
  resources(typeUrl: string): ResourceSet
  /** Takes a response for sending; `false` when the stream takes none just now. */
  readonly ready: () => boolean
  send(subscription: Subscription, outgoing: Outgoing): void
  now(): number
}

interface Wave {
  readonly targets: Map<string, ResourceSet>
  step: number
  /** Responses with endpoints that must have been answered before listeners may follow, and whether the next one must be, too. */
  endpointsDue: number
  endpointsOwed: boolean
}

export class PushOrder {
  readonly #host: PushOrderHost
  #wave: Wave | undefined
  readonly #routesAskedAgain = new Set<string>()

  constructor(host: PushOrderHost) {
    this.#host = host
  }

  /** Whether there is nothing in flight and nothing left to send, of what is answered at once. */
  get idle(): boolean {
    if (this.#wave) return false
    for (const subscription of this.#host.subscriptions.values()) {
      if (isAnsweredLater(subscription.typeUrl)) continue
      if (subscription.busy || subscription.behind(this.#host.resources(subscription.typeUrl))) return false
    }
    return true
  }

  /** The client asked for route configurations, perhaps not for the first time: it needs their virtual hosts as well. */
  routesAsked(names: Iterable<string>): void {
    for (const name of names) this.#routesAskedAgain.add(name)
  }

  /** Sends whatever can be sent now. */
  run(): void {
    for (const subscription of this.#host.subscriptions.values()) {
      if (!IN_WAVES.has(subscription.typeUrl)) this.#push(subscription, this.#host.resources(subscription.typeUrl), 'all')
    }
    // At most two rounds: one ends a wave, one starts the next; what then remains waits for an answer.
    for (let round = 0; round < 2; round++) {
      this.#wave ??= this.#newWave()
      if (!this.#wave || !this.#walk(this.#wave)) return
      this.#wave = undefined
    }
  }

  #newWave(): Wave | undefined {
    const targets = new Map<string, ResourceSet>()
    let behind = false
    for (const subscription of this.#host.subscriptions.values()) {
      if (!IN_WAVES.has(subscription.typeUrl)) continue
      const target = this.#host.resources(subscription.typeUrl)
      targets.set(subscription.typeUrl, target)
      if (subscription.typeUrl === TYPE_URL.VHDS) this.#limitVirtualHosts(subscription)
      behind ||= subscription.behind(target)
    }
    return behind ? { targets, step: 0, endpointsDue: 0, endpointsOwed: false } : undefined
  }

  /** @returns whether the wave came to its end */
  #walk(wave: Wave): boolean {
    for (let step = STEPS[wave.step]; step; step = STEPS[++wave.step]) {
      const subscription = this.#host.subscriptions.get(step.typeUrl)
      if (!subscription) continue
      if (step.typeUrl !== TYPE_URL.CDS && !this.#endpointsAnswered(wave)) return false
      let target = wave.targets.get(step.typeUrl)
      if (!target) wave.targets.set(step.typeUrl, (target = this.#host.resources(step.typeUrl)))
      if (step.typeUrl === TYPE_URL.VHDS) this.#limitVirtualHosts(subscription)
      if (subscription.busy || !this.#host.ready() || this.#push(subscription, target, step.mode)) return false
      if (step.typeUrl === TYPE_URL.CDS) this.#awaitEndpoints(wave)
    }
    return true
  }

  /** @returns whether a response was sent */
  #push(subscription: Subscription, target: ResourceSet, mode: Mode): boolean {
    if (subscription.busy || !this.#host.ready()) return false
    const outgoing = subscription.next(target, mode, this.#host.now())
    if (!outgoing) return false
    this.#host.send(subscription, outgoing)
    if (subscription.typeUrl === TYPE_URL.CDS) this.#warm(outgoing)
    return true
  }

  #warm(outgoing: Outgoing): void {
    const endpoints = this.#host.subscriptions.get(TYPE_URL.EDS)
    if (!endpoints || outgoing.replaced.length === 0) return
    endpoints.sendAgain(outgoing.replaced.map(endpointsOf).filter((name) => name !== ''))
    this.#push(endpoints, this.#host.resources(TYPE_URL.EDS), 'all')
  }

  // Counted, not "nothing in flight": with endpoints that change all the time there might always be a response in flight.
  #awaitEndpoints(wave: Wave): void {
    const endpoints = this.#host.subscriptions.get(TYPE_URL.EDS)
    wave.endpointsDue = endpoints?.sentCount ?? 0
    wave.endpointsOwed = endpoints?.busy ?? false
  }

  #endpointsAnswered(wave: Wave): boolean {
    const endpoints = this.#host.subscriptions.get(TYPE_URL.EDS)
    if (!endpoints || endpoints.answeredCount < wave.endpointsDue) return !endpoints
    if (!wave.endpointsOwed) return true
    // What could not be sent while another response was in flight has been sent just before this walk.
    wave.endpointsOwed = false
    wave.endpointsDue = endpoints.sentCount
    return endpoints.answeredCount >= wave.endpointsDue
  }

  #limitVirtualHosts(hosts: Subscription): void {
    const routes = this.#host.subscriptions.get(TYPE_URL.RDS)
    if (!routes) return
    hosts.sendAgainBelow(this.#routesAskedAgain)
    this.#routesAskedAgain.clear()
    hosts.limitTo(routes.heldWhere(PARENTS, takesVirtualHosts))
  }
}
