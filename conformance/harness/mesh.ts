/**
 * A mesh of its own for one test file: started by `bin/lateen up --detach` in a fresh home with free ports, taken down at the
 * end. Everything goes through the command line, kubectl and HTTP, as a user's would.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { eventually } from './eventually.ts'
import { must, type Ran, type RunOptions, run } from './run.ts'

export const ROOT = join(import.meta.dirname, '../..')
export const LATEEN = join(ROOT, 'bin/lateen')

export interface Mesh {
  readonly home: string
  readonly apiPort: number
  readonly httpPort: number
  readonly env: NodeJS.ProcessEnv
  lateen(...args: string[]): Promise<Ran>
  /** kubectl with the mesh's kubeconfig. @throws Error when it fails */
  kubectl(...args: string[]): Promise<string>
  /** kubectl whose failure is what the test is about. */
  tryKubectl(args: readonly string[], options?: RunOptions): Promise<Ran>
  /** `kubectl apply -f -` */
  apply(yaml: string): Promise<string>
  /** Waits for the rollout of `deployment[.namespace]`. */
  rolledOut(deployment: string, namespace?: string): Promise<void>
}

/** Why end-to-end tests cannot run here; `undefined` when they can. */
export function whySkipped(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'end-to-end tests need root, for network namespaces'
}

/**
 * A group of tests with a mesh; the getter is for use inside tests and hooks. Skipped, with the reason, where no mesh can run.
 *
 * @param options further words for `lateen up`
 */
export function describeWithMesh(name: string, body: (mesh: () => Mesh) => void, options: readonly string[] = []): void {
  describe(name, () => {
    let mesh: Mesh | undefined
    const reason = whySkipped()
    beforeEach((context) => {
      if (reason) context.skip(reason)
    })
    beforeAll(async () => {
      if (!reason) mesh = await startMesh(options)
    })
    afterAll(async () => {
      if (mesh) await stopMesh(mesh)
    })
    body(() => {
      if (!mesh) throw new Error('no mesh yet: ask for it inside a test')
      return mesh
    })
  })
}

export async function startMesh(options: readonly string[] = []): Promise<Mesh> {
  const mesh = await newMesh()
  const ports = ['--api-port', String(mesh.apiPort), '--gateway-port', String(mesh.httpPort)]
  const { code, output } = await mesh.lateen('up', '--detach', ...ports, ...options)
  if (code !== 0) {
    const logs = await mesh.lateen('logs', 'cluster', '--tail', '60')
    await stopMesh(mesh)
    throw new Error(`lateen up ended with ${code}:\n${output}\n--- cluster log\n${logs.output}`)
  }
  return mesh
}

/**
 * A home and ports, with nothing started yet.
 *
 * @param entering words before every command, as `ip netns exec NAME`
 */
export async function newMesh(entering: readonly string[] = []): Promise<Mesh> {
  // The runner sweeps its folder: a suite that is killed leaves no mesh behind.
  const home = mkdtempSync(join(process.env['LATEEN_E2E_ROOT'] ?? tmpdir(), 'lateen-e2e-'))
  const [apiPort, httpPort] = [await freePort(), await freePort()]
  const env = { ...process.env, LATEEN_HOME: home, KUBECONFIG: join(home, 'kubeconfig'), NO_COLOR: '1' }
  const words = (...command: string[]): [string, string[]] => {
    const [program = '', ...rest] = [...entering, ...command]
    return [program, rest]
  }
  const kubectl = (...args: string[]) => must(...words('kubectl', ...args), { env })
  return {
    home,
    apiPort,
    httpPort,
    env,
    kubectl,
    lateen: (...args) => run(...words(LATEEN, ...args), { env, timeoutMs: 150_000 }),
    tryKubectl: (args, options = {}) => run(...words('kubectl', ...args), { env, ...options }),
    apply: (yaml) => must(...words('kubectl', 'apply', '-f', '-'), { env, stdin: yaml }),
    rolledOut: async (deployment, namespace = 'default') => {
      await must(...words('kubectl', 'rollout', 'status', `deployment/${deployment}`, '-n', namespace, '--timeout=90s'), {
        env,
        timeoutMs: 100_000,
      })
    },
  }
}

export async function stopMesh(mesh: Mesh): Promise<void> {
  const { code, output } = await mesh.lateen('down')
  if (code !== 0) throw new Error(`lateen down ended with ${code}:\n${output}`)
  // Mounts below the home may take a moment to go with their namespace.
  await eventually(() => rmSync(mesh.home, { recursive: true, force: true }))
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
