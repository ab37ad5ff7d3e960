/** Keeps the node's address translation equal to the Services and EndpointSlices of the cluster. */
import { type IpFamily, logger } from '@lateen/base'
import { messageOf } from '../kube/api-failure.ts'
import { type Endpoint, type EndpointSlice, isEndpointReady, type Service } from '../kube/service.ts'
import type { Store } from '../kube/store.ts'
import { runCommand } from '../node/run-command.ts'
import type { NodeNetwork } from './node-network.ts'
import { serviceRules } from './service-rules.ts'

const log = logger('network')
const RESTORE = { IPv4: 'iptables-restore', IPv6: 'ip6tables-restore' } as const
const DEBOUNCE_MS = 10
const RETRY_MS = 1_000
/** How long proxies with endpoints of their own get to hear of a change. */
const PROPAGATION_MS = 250

const isReadyEndpoint = (endpoint: Endpoint) => isEndpointReady(endpoint) && endpoint.conditions?.terminating !== true

export interface ServiceProxyState {
  readonly synced: boolean
  readonly lastError?: string
}

export class ServiceProxy {
  readonly #network: NodeNetwork
  readonly #services: Store<Service>
  readonly #slices: Store<EndpointSlice>
  readonly #families: readonly IpFamily[]
  readonly #installed = new Map<IpFamily, string>()
  #timer: NodeJS.Timeout | undefined
  #running = false
  #again = false
  readonly #watchers = new Set<() => void>()
  #stopped = false
  #lastError: string | undefined

  constructor(network: NodeNetwork, services: Store<Service>, slices: Store<EndpointSlice>) {
    this.#network = network
    this.#families = network.ipv6 ? ['IPv4', 'IPv6'] : ['IPv4']
    this.#services = services
    this.#slices = slices
  }

  async start(): Promise<void> {
    await Promise.all([this.#services.synced, this.#slices.synced])
    this.#services.listen(() => this.#schedule(DEBOUNCE_MS))
    this.#slices.listen(() => {
      this.#schedule(DEBOUNCE_MS)
      this.#tellWatchers()
    })
    this.#schedule(0)
  }

  state(): ServiceProxyState {
    return {
      synced: this.#installed.size === this.#families.length && !this.#timer && !this.#running,
      ...(this.#lastError ? { lastError: this.#lastError } : {}),
    }
  }

  /**
   * Resolves when no new connection goes to `address` by way of a Service: every slice marks it as ending or has it no more, the rules
   * say so, and proxies that learn of endpoints on their own have had a moment to do so. At the latest after `longest` milliseconds.
   * Resolves at once for an address behind no Service.
   */
  async avoided(address: string, longest: number): Promise<void> {
    const end = performance.now() + longest
    if (!this.#lists(address, () => true)) return
    while (performance.now() < end && (this.#lists(address, isReadyEndpoint) || this.#timer !== undefined || this.#running))
      await this.#nextChange(end - performance.now())
    await new Promise((resolve) => setTimeout(resolve, Math.min(PROPAGATION_MS, Math.max(0, end - performance.now()))))
  }

  #lists(address: string, which: (endpoint: Endpoint) => boolean): boolean {
    for (const slice of this.#slices.all())
      if (slice.endpoints?.some((endpoint) => endpoint.addresses.includes(address) && which(endpoint))) return true
    return false
  }

  #nextChange(longest: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#watchers.delete(done)
        resolve()
      }
      const timer = setTimeout(done, Math.max(0, longest))
      this.#watchers.add(done)
    })
  }

  #tellWatchers(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped || this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#install()
    }, milliseconds)
  }

  #rules(family: IpFamily): string {
    const { serviceCidr, dnsAddress, ipv6 } = this.#network
    return serviceRules({
      family,
      services: this.#services.all(),
      slices: this.#slices.all(),
      ...(family === 'IPv6' ? { serviceCidr: `${ipv6?.servicePrefix}/96` } : { serviceCidr, dnsAddress }),
    })
  }

  async #install(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return
    }
    this.#running = true
    try {
      for (const family of this.#families) {
        const rules = this.#rules(family)
        if (rules === this.#installed.get(family)) continue
        await runCommand(RESTORE[family], ['-w', '5'], { input: rules })
        this.#installed.set(family, rules)
      }
      this.#lastError = undefined
    } catch (error) {
      this.#lastError = messageOf(error)
      log.error(`the rules for Services could not be installed: ${this.#lastError}; the old ones stay in force`)
      this.#schedule(RETRY_MS)
    } finally {
      this.#running = false
      this.#tellWatchers()
    }
    if (!this.#again) return
    this.#again = false
    this.#schedule(0)
  }
}
