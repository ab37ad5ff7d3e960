/**
 * The supervisor: holds the ports on 127.0.0.1, and keeps the cluster process running in the node's namespaces.
 *
 * Enters: the home, ports, Envoy; messages of the cluster process. Leaves: run/state.json, which `up`, `status` and `down` read. Pods
 * live on while the cluster process is started again: it finds them by what it wrote down.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { logger } from '@lateen/base'
import { enterNode, HostPorts, type NodeNamespaces, Outside } from '@lateen/runtime'
import type { Home } from './home.ts'
import type { IpFamilies } from './ip-family.ts'
import { childrenOf, gone, recordOf, signal as signalProcess } from './process-record.ts'
import { type MeshState, type Ports, readState, writeState } from './state.ts'

const log = logger('supervisor')

/** Waits before the second, third … start in a row; a life longer than `SETTLED_MS` begins anew. */
const BACKOFF_MS = [100, 500, 1000, 2000, 5000]
const SETTLED_MS = 60_000
/** A cluster process that never became ready has a reason that another start does not change. */
const MOST_FAILED_STARTS = 3
/** A smaller nursery: the cluster process lives long, and its garbage is not worth tens of megabytes. */
const CLUSTER_NODE_FLAGS = ['--max-semi-space-size=2', '--optimize-for-size']
/** Pods have three seconds; the cluster process ends what is left by then. */
const STOP_MS = 15_000

export interface SuperviseOptions {
  readonly home: Home
  readonly envoy: string
  readonly ports: Ports
  readonly ipFamily: IpFamilies
  /** slirp4netns, where pods are to reach networks outside this machine. */
  readonly outside: string | undefined
  readonly env: NodeJS.ProcessEnv
  /** Fires when the mesh is to go down. */
  readonly signal: AbortSignal
}

/** What the cluster process tells the supervisor over IPC. */
export type ClusterMessage =
  | { readonly lateen: 'cluster'; readonly phase: 'starting'; readonly message: string }
  | { readonly lateen: 'cluster'; readonly phase: 'ready' }
  | { readonly lateen: 'cluster'; readonly phase: 'failed'; readonly message: string }

/** What the supervisor tells the cluster process: end the pods, then yourself. */
export const STOP_MESSAGE = { lateen: 'stop' } as const

/** Runs until the signal fires or the mesh cannot be kept up. */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const supervisor = new Supervisor(options)
  await supervisor.run()
}

class Supervisor {
  readonly #options: SuperviseOptions
  readonly #hostPorts = new HostPorts()
  #outside: Outside | undefined
  #state: MeshState

  constructor(options: SuperviseOptions) {
    this.#options = options
    const { ports, envoy } = options
    const startedAt = new Date().toISOString()
    this.#state = { phase: 'starting', message: 'making the node', ports, supervisor: recordOf(process.pid), restarts: 0, envoy, startedAt }
  }

  async run(): Promise<void> {
    const before = readState(this.#options.home)
    this.#update({ cluster: before?.cluster, node: before?.node })
    let node: NodeNamespaces | undefined
    try {
      // A cluster process that has lost its supervisor has lost its ports; its pods stay.
      if (before?.cluster && signalProcess(before.cluster, 'SIGKILL')) await gone(before.cluster, 5_000)
      node = await enterNode({ stateDir: this.#options.home.node })
      this.#update({ node: recordOf(node.pid), cluster: undefined })
      await this.#openOutside(node)
      await this.#keepRunning(node)
      await node.destroy()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      log.error(message)
      await node?.destroy()
      this.#update({ phase: 'failed', message, cluster: undefined, node: undefined })
    } finally {
      this.#outside?.close()
      this.#hostPorts.close()
    }
  }

  /** A mesh without a way out is still a mesh. */
  async #openOutside(node: NodeNamespaces): Promise<void> {
    const { outside, env } = this.#options
    if (outside === undefined) return
    const opened = new Outside(outside, node.pid, env)
    try {
      await opened.open()
      this.#outside = opened
      this.#update({ internet: true })
    } catch (error) {
      opened.close()
      log.warn(error instanceof Error ? error.message : String(error))
    }
  }

  async #keepRunning(node: NodeNamespaces): Promise<void> {
    const { signal } = this.#options
    let failedStarts = 0
    for (let attempt = 0; !signal.aborted; attempt++) {
      const began = Date.now()
      const life = await this.#oneLife(node)
      if (signal.aborted) return
      failedStarts = life.wasReady ? 0 : failedStarts + 1
      if (failedStarts >= MOST_FAILED_STARTS)
        throw new Error(
          life.failure ?? `the cluster process ended ${failedStarts} times before it was ready; lateen logs cluster tells why`,
        )
      if (Date.now() - began > SETTLED_MS) attempt = 0
      const message = `the cluster process ended (${life.how}) and is being started again`
      log.warn(message)
      this.#update({ phase: 'starting', message, restarts: this.#state.restarts + 1, cluster: undefined })
      await delay(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)], undefined, { signal }).catch(() => undefined)
    }
  }

  async #oneLife(node: NodeNamespaces): Promise<{ wasReady: boolean; failure: string | undefined; how: string }> {
    const { signal } = this.#options
    const child = this.#startCluster(node)
    let wasReady = false
    let failure: string | undefined
    child.on('message', (message: unknown) => {
      if (!isClusterMessage(message)) return
      this.#rememberInner(child)
      if (message.phase === 'ready') wasReady = true
      if (message.phase === 'failed') failure = message.message
      else
        this.#update(
          message.phase === 'ready' ? { phase: 'ready', message: 'the mesh is up' } : { phase: 'starting', message: message.message },
        )
    })
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, by) => resolve(by ?? `exit code ${code}`))
    })
    const stop = () => this.#stop(child)
    signal.addEventListener('abort', stop, { once: true })
    const how = await ended
    signal.removeEventListener('abort', stop)
    // What has ended is the program that entered the namespaces; the process inside may have been left behind.
    const { cluster } = this.#state
    if (cluster && signalProcess(cluster, 'SIGKILL')) await gone(cluster, 5_000)
    return { wasReady, failure, how }
  }

  /** The process inside the namespaces: the child itself only waits for it. */
  #rememberInner({ pid = 0 }: ChildProcess): void {
    const inner = childrenOf(pid)[0]
    if (inner !== undefined && this.#state.cluster?.pid !== inner) this.#update({ cluster: recordOf(inner) })
  }

  #startCluster(node: NodeNamespaces): ChildProcess {
    const { home, envoy, ipFamily, ports } = this.#options
    const program = process.argv[1] ?? ''
    const output = openSync(join(home.logs, 'cluster.log'), 'a', 0o600)
    const flags = [
      ...['--home', home.root, '--envoy', envoy, '--ports', `${ports.api},${ports.http},${ports.https}`],
      ...['--uids', node.uidMapping, '--ip-family', ipFamily, '--internet', this.#outside ? 'on' : 'off'],
    ]
    const child = node.spawn(process.execPath, [...CLUSTER_NODE_FLAGS, program, 'cluster', ...flags], {
      cwd: '/',
      stdio: ['ignore', output, output, 'ipc'],
    })
    closeSync(output)
    this.#hostPorts.attach(child)
    if (child.pid) this.#update({ cluster: recordOf(child.pid) })
    return child
  }

  #stop(child: ChildProcess): void {
    this.#update({ phase: 'stopping', message: 'ending the pods' })
    if (child.connected) child.send(STOP_MESSAGE, () => undefined)
    const timer = setTimeout(() => {
      if (this.#state.cluster) signalProcess(this.#state.cluster, 'SIGKILL')
    }, STOP_MS)
    child.once('exit', () => clearTimeout(timer))
  }

  #update(change: Partial<MeshState>): void {
    this.#state = { ...this.#state, ...change }
    try {
      writeState(this.#options.home, this.#state)
    } catch (error) {
      // A full disk must not end a mesh that runs; what is written down is then older than the truth.
      log.error(`cannot write ${this.#options.home.state}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

function isClusterMessage(message: unknown): message is ClusterMessage {
  return typeof message === 'object' && message !== null && 'lateen' in message && message.lateen === 'cluster' && 'phase' in message
}
