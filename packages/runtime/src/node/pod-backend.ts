/** What the API server's `logs`, `exec`, `attach` and `port-forward` do: the streams of pods on this node. */
import type { Duplex, Readable, Writable } from 'node:stream'
import type { LogOptions } from './container-log.ts'
import type { ContainerRun } from './container-run.ts'
import { type ExecStreams, execIn } from './exec.ts'
import type { NodeAgent } from './node-agent.ts'
import type { PodWorker } from './pod-worker.ts'
import { PortForwarder } from './port-forwarder.ts'

/** A request that cannot be served; `code` is the HTTP status to answer with. */
export class PodRequestError extends Error {
  override readonly name = 'PodRequestError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface PodStreams {
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
  readonly tty: boolean
  readonly resize?: (listener: (columns: number, rows: number) => void) => void
  readonly signal: AbortSignal
}

export interface PodBackend {
  /** Writes a container's output to `out`; with `follow` until it ends or `signal` fires. */
  logs(
    namespace: string,
    pod: string,
    container: string | undefined,
    options: LogOptions,
    out: Writable,
    signal: AbortSignal,
  ): Promise<void>
  exec(namespace: string, pod: string, container: string | undefined, command: string[], io: PodStreams): Promise<{ exitCode: number }>
  /** Output of the running container from now on, until it ends. */
  attach(namespace: string, pod: string, container: string | undefined, io: PodStreams): Promise<{ exitCode: number }>
  /** A connection to `127.0.0.1:port` inside the pod. */
  portForward(namespace: string, pod: string, port: number): Promise<Duplex>
}

export class NodePodBackend implements PodBackend {
  readonly #agent: NodeAgent
  readonly #forwarder: PortForwarder

  constructor(agent: NodeAgent, nodeBinary: string) {
    this.#agent = agent
    this.#forwarder = new PortForwarder(nodeBinary)
  }

  async logs(
    namespace: string,
    pod: string,
    container: string | undefined,
    options: LogOptions,
    out: Writable,
    signal: AbortSignal,
  ): Promise<void> {
    const run = this.#container(namespace, pod, container)
    const log = options.previous ? run.previousLog : run.log
    if (!log) {
      const { name } = run.spec
      if (options.previous) throw new PodRequestError(400, `previous terminated container "${name}" in pod "${pod}" not found`)
      const reason = run.status().state.waiting?.reason ?? 'PodInitializing'
      throw new PodRequestError(400, `container "${name}" in pod "${pod}" is waiting to start: ${reason}`)
    }
    await log.write(options, out, signal)
  }

  async exec(
    namespace: string,
    pod: string,
    container: string | undefined,
    command: string[],
    io: PodStreams,
  ): Promise<{ exitCode: number }> {
    const run = this.#container(namespace, pod, container)
    const target = run.execTarget()
    if (!target) throw new PodRequestError(400, `container "${run.spec.name}" in pod "${pod}" is not running`)
    if (command.length === 0) throw new PodRequestError(400, 'you must specify at least one command for the container')
    const streams: ExecStreams = io
    return execIn(target, command, streams)
  }

  async attach(namespace: string, pod: string, container: string | undefined, io: PodStreams): Promise<{ exitCode: number }> {
    const run = this.#container(namespace, pod, container)
    if (!run.log || !run.running) throw new PodRequestError(400, `container "${run.spec.name}" in pod "${pod}" is not running`)
    if (io.stdout) await run.log.write({ follow: true, tailLines: 0, timestamps: false, previous: false }, io.stdout, io.signal)
    return { exitCode: run.record.terminated?.exitCode ?? 0 }
  }

  portForward(namespace: string, pod: string, port: number): Promise<Duplex> {
    const worker = this.#worker(namespace, pod)
    if (!worker.address) throw new PodRequestError(400, `pod "${pod}" is not running yet`)
    return this.#forwarder.connect(worker.uid, worker.sandboxDirectory, port)
  }

  close(): void {
    this.#forwarder.close()
  }

  #worker(namespace: string, pod: string): PodWorker {
    const worker = this.#agent.worker(namespace, pod)
    if (!worker) throw new PodRequestError(404, `pod "${pod}" in namespace "${namespace}" does not run on this node`)
    return worker
  }

  #container(namespace: string, pod: string, container: string | undefined): ContainerRun {
    const worker = this.#worker(namespace, pod)
    const names = worker.containerNames()
    const name = container || worker.pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'] || names[0] || ''
    const run = worker.container(name)
    if (!run) throw new PodRequestError(400, `container ${name} is not valid for pod ${pod}; it has ${names.join(', ')}`)
    return run
  }
}
