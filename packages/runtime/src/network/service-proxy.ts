/** Keeps the node's address translation equal to the Services and EndpointSlices of the cluster. */
import { logger } from '@lateen/base'
import { messageOf } from '../kube/api-failure.ts'
import type { EndpointSlice, Service } from '../kube/service.ts'
import type { Store } from '../kube/store.ts'
import { runCommand } from '../node/run-command.ts'
import type { NodeNetwork } from './node-network.ts'
import { serviceRules } from './service-rules.ts'

const log = logger('network')
const DEBOUNCE_MS = 10
const RETRY_MS = 1_000

export interface ServiceProxyState {
  readonly synced: boolean
  readonly lastError?: string
}

export class ServiceProxy {
  readonly #network: NodeNetwork
  readonly #services: Store<Service>
  readonly #slices: Store<EndpointSlice>
  #installed = ''
  #timer: NodeJS.Timeout | undefined
  #running = false
  #again = false
  #stopped = false
  #lastError: string | undefined

  constructor(network: NodeNetwork, services: Store<Service>, slices: Store<EndpointSlice>) {
    this.#network = network
    this.#services = services
    this.#slices = slices
  }

  async start(): Promise<void> {
    await Promise.all([this.#services.synced, this.#slices.synced])
    this.#services.listen(() => this.#schedule(DEBOUNCE_MS))
    this.#slices.listen(() => this.#schedule(DEBOUNCE_MS))
    this.#schedule(0)
  }

  state(): ServiceProxyState {
    return { synced: this.#installed !== '' && !this.#timer && !this.#running, ...(this.#lastError ? { lastError: this.#lastError } : {}) }
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

  async #install(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return
    }
    this.#running = true
    try {
      const rules = serviceRules({ services: this.#services.all(), slices: this.#slices.all(), serviceCidr: this.#network.serviceCidr, dnsAddress: this.#network.dnsAddress })
      if (rules !== this.#installed) await runCommand('iptables-restore', ['-w', '5'], { input: rules })
      this.#installed = rules
      this.#lastError = undefined
    } catch (error) {
      this.#lastError = messageOf(error)
      log.error(`the rules for Services could not be installed: ${this.#lastError}; the old ones stay in force`)
      this.#schedule(RETRY_MS)
    } finally {
      this.#running = false
    }
    if (!this.#again) return
    this.#again = false
    this.#schedule(0)
  }
}
