/** Starts and drives a real cluster from a test, in namespaces of its own. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KubeObject, ResourceType } from '@lateen/api'
import { parseAllDocuments } from 'yaml'
import { checkHost, enterNode, HostPorts, type NodeNamespaces } from '../src/index.ts'
import * as kinds from '../src/kube/kinds.ts'

/** Why a real cluster cannot run here; empty when it can. */
export function whyNoCluster(): string {
  return checkHost()
    .filter(({ state }) => state === 'missing')
    .map(({ message }) => message)
    .join('; ')
}

const TYPES = new Map(Object.values(kinds).filter((value): value is ResourceType => typeof value === 'object').map((type) => [type.kind, type]))

export interface ExecResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export class TestCluster {
  readonly stateDir: string
  readonly gatewayPort: number
  readonly ports = new HostPorts()
  readonly #node: NodeNamespaces
  #child: ChildProcess
  #next = 0
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()

  private constructor(stateDir: string, node: NodeNamespaces, gatewayPort: number) {
    this.stateDir = stateDir
    this.#node = node
    this.gatewayPort = gatewayPort
    this.#child = this.#spawn()
  }

  static async start(): Promise<TestCluster> {
    const [gatewayPort = 0] = await freePorts(1, 20_000)
    const stateDir = mkdtempSync(join(tmpdir(), 'lateen-runtime-'))
    const node = await enterNode({ stateDir: join(stateDir, 'node') })
    const cluster = new TestCluster(stateDir, node, gatewayPort)
    await cluster.#ready()
    return cluster
  }

  get uidMapping(): string {
    return this.#node.uidMapping
  }

  /** Ends the cluster process with SIGKILL and starts it again; pods are not touched. */
  async crash(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    process.kill(this.#innerPid(), 'SIGKILL')
    await gone
    this.#child = this.#spawn()
    await this.#ready()
  }

  async stop(): Promise<void> {
    await this.#call('stop', [1000]).catch(() => undefined)
    this.ports.close()
    await this.#node.destroy()
    rmSync(this.stateDir, { recursive: true, force: true })
  }

  get<T extends KubeObject = KubeObject>(type: ResourceType, namespace: string | undefined, name: string): Promise<T> {
    return this.#call('get', [type, namespace, name])
  }

  async list<T extends KubeObject = KubeObject>(type: ResourceType, namespace: string): Promise<T[]> {
    const { items } = await this.#call<{ items: T[] }>('list', [type, { namespace }])
    return items
  }

  patch<T extends KubeObject = KubeObject>(type: ResourceType, namespace: string, name: string, patch: object): Promise<T> {
    return this.#call('patch', [type, namespace, name, patch, { type: 'application/merge-patch+json' }])
  }

  delete(type: ResourceType, namespace: string | undefined, name: string, options: object = {}): Promise<void> {
    return this.#call('delete', [type, namespace, name, options])
  }

  /** Creates every object of a YAML text in the namespace. */
  async apply(namespace: string, yaml: string): Promise<void> {
    for (const document of parseAllDocuments(yaml)) {
      const object: KubeObject | null = document.toJS()
      const type = object && TYPES.get(object.kind)
      if (!type || !object) continue
      const metadata = type.namespaced ? { ...object.metadata, namespace } : object.metadata
      await this.#call('create', [type, { ...object, metadata }])
    }
  }

  exec(namespace: string, pod: string, command: readonly string[], container?: string): Promise<ExecResult> {
    return this.#call('exec', [namespace, pod, container, command])
  }

  logs(namespace: string, pod: string, container?: string, options: object = {}): Promise<string> {
    return this.#call('logs', [namespace, pod, container, options])
  }

  forward(namespace: string, pod: string, port: number, text: string): Promise<string> {
    return this.#call('forward', [namespace, pod, port, text])
  }

  #spawn(): ChildProcess {
    const child = this.#node.spawn(process.execPath, [fileURLToPath(new URL('cluster-process.ts', import.meta.url))], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: {
        PATH: process.env.PATH ?? '',
        TEST_STATE_DIR: this.stateDir,
        TEST_UID_MAPPING: this.#node.uidMapping,
        TEST_LATEEN_DIR: fileURLToPath(new URL('../../..', import.meta.url)),
        TEST_GATEWAY_PORT: String(this.gatewayPort),
      },
    })
    this.ports.attach(child)
    child.on('message', (message: { id?: number; value?: unknown; error?: string; code?: number }) => {
      if (typeof message.id !== 'number') return
      const waiting = this.#waiting.get(message.id)
      this.#waiting.delete(message.id)
      if (message.error === undefined) waiting?.resolve(message.value)
      else waiting?.reject(Object.assign(new Error(message.error), { code: message.code }))
    })
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the cluster process ended'))
      this.#waiting.clear()
    })
    return child
  }

  #ready(): Promise<void> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      child.on('message', (message: { ready?: boolean }) => {
        if (message.ready) resolve()
      })
      child.on('exit', (code) => reject(new Error(`the cluster process ended with exit code ${code}`)))
    })
  }

  /** The program that enters the node waits for the one that runs inside. */
  #innerPid(): number {
    const { pid } = this.#child
    for (const entry of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${entry}/children`, 'utf8').trim()
      if (children) return Number(children.split(' ')[0])
    }
    throw new Error('the cluster process does not run')
  }

  #call<T>(method: string, args: readonly unknown[]): Promise<T> {
    const id = this.#next++
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject })
      this.#child.send({ id, method, args }, (error) => {
        if (error) reject(error)
      })
    })
  }
}

/** Ports of the loopback address that nobody listens on now, from `first` to 2,000 above it. */
export async function freePorts(count: number, first: number): Promise<number[]> {
  const found: number[] = []
  for (let tries = 0; found.length < count && tries < 1000; tries++) {
    const port = first + Math.floor(Math.random() * 2_000)
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer().once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free && !found.includes(port)) found.push(port)
  }
  return found
}

/** Looks until `look` gives a value that is not undefined or false; fails with what was last seen after `milliseconds`. */
export async function eventually<T>(look: () => Promise<T | undefined | false>, milliseconds = 15_000): Promise<T> {
  const end = Date.now() + milliseconds
  let problem: unknown = 'the condition never held'
  while (Date.now() < end) {
    try {
      const value = await look()
      if (value !== undefined && value !== false) return value
    } catch (error) {
      problem = error
    }
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  throw problem instanceof Error ? problem : new Error(String(problem))
}
