/** A server over a memory source with simulated proxies, all of which end with the test. */
import { createXdsServer, type XdsObserver, type XdsServer, type XdsServerOptions } from '../src/index.ts'
import { MemorySource } from './memory-source.ts'
import { type ProxyOptions, SimulatedProxy } from './simulated-proxy.ts'

export class RunningServer implements AsyncDisposable {
  readonly source = new MemorySource()
  readonly pushed: { typeUrl: string; bytes: number }[] = []
  readonly proxies: SimulatedProxy[] = []
  xds: XdsServer
  port = 0
  readonly #options: Partial<XdsServerOptions>

  private constructor(options: Partial<XdsServerOptions>) {
    this.#options = options
    this.xds = this.#create()
  }

  static async start(options: Partial<XdsServerOptions> = {}): Promise<RunningServer> {
    const server = new RunningServer(options)
    server.port = (await server.xds.start({ address: '127.0.0.1:0' })).port
    return server
  }

  proxy(options: Omit<ProxyOptions, 'port'>): SimulatedProxy {
    const proxy = new SimulatedProxy({ ...options, port: this.port })
    this.proxies.push(proxy)
    proxy.connect()
    return proxy
  }

  /** Ends the server and starts another one at the same port, over the same source. */
  async restart(): Promise<void> {
    await this.xds.close({ graceMs: 100 })
    this.pushed.length = 0
    this.xds = this.#create()
    await this.xds.start({ address: `127.0.0.1:${this.port}` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.proxies) proxy.close()
    await this.xds.close({ graceMs: 100 })
  }

  #create(): XdsServer {
    const observer: XdsObserver = { ...this.#options.observer, pushed: (event) => void this.pushed.push(event) }
    return createXdsServer({ source: this.source, ...this.#options, observer })
  }
}
