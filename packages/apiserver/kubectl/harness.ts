/** Runs kubectl against a server: the embedded one, or the one that KUBECONFIG_UNDER_TEST names. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiServer, startApiServer } from '../src/index.ts'
import { localBackend } from './local-backend.ts'

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Harness {
  /** Whether this is the embedded server. */
  readonly embedded: boolean
  readonly server: ApiServer | undefined
  readonly kubeconfig: string
  /** Runs kubectl to its end. */
  kubectl(args: readonly string[], input?: string, environment?: Record<string, string>): Promise<Result>
  /** As {@link kubectl}, and throws when it does not succeed; its standard output. */
  ok(args: readonly string[], input?: string): Promise<string>
  /** Starts kubectl and leaves it running; ended with the harness. */
  start(args: readonly string[]): ChildProcess
  close(): Promise<void>
}

/** Whether there is a kubectl at all. */
export const hasKubectl = (() => {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

export function kubeconfigOf(server: ApiServer): string {
  const address = server.addresses[0]
  const port = typeof address === 'object' ? address.port : 0
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'c',
        cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': Buffer.from(server.caPem).toString('base64') },
      },
    ],
    users: [{ name: 'u', user: { token: server.adminToken } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  })
}

export async function startHarness(): Promise<Harness> {
  const dir = mkdtempSync(join(tmpdir(), 'apiserver-'))
  const given = process.env['KUBECONFIG_UNDER_TEST']
  let server: ApiServer | undefined
  let kubeconfig = given ?? ''
  if (!given) {
    server = await startApiServer({
      dataDir: join(dir, 'data'),
      listen: [{ host: '127.0.0.1', port: 0 }],
      serviceCidr: '10.96.0.0/16',
      nodePortRange: '30000-32767',
      extraSans: [],
      crds: [],
      resolveService: () => Promise.reject(new Error('no services run here')),
      pods: localBackend,
    })
    kubeconfig = join(dir, 'kubeconfig')
    writeFileSync(kubeconfig, kubeconfigOf(server))
  }
  const children = new Set<ChildProcess>()
  const launch = (args: readonly string[], environment: Record<string, string> = {}) => {
    const child = spawn('kubectl', ['--cache-dir', join(dir, 'cache'), ...args], {
      env: { ...process.env, KUBECONFIG: kubeconfig, ...environment },
    })
    children.add(child)
    child.on('close', () => children.delete(child))
    return child
  }
  const kubectl = (args: readonly string[], input?: string, environment?: Record<string, string>) =>
    new Promise<Result>((resolve, reject) => {
      const child = launch(args, environment)
      const out: Buffer[] = []
      const err: Buffer[] = []
      child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
      child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
      child.on('error', reject)
      child.on('close', (code) =>
        resolve({ code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
      )
      child.stdin?.end(input ?? '')
    })
  return {
    embedded: server !== undefined,
    server,
    kubeconfig,
    kubectl,
    ok: async (args, input) => {
      const result = await kubectl(args, input)
      if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${result.code}: ${result.stderr}${result.stdout}`)
      return result.stdout
    },
    start: (args) => launch(args),
    close: async () => {
      const gone = [...children].map((child) => new Promise<void>((resolve) => child.on('close', () => resolve())))
      for (const child of children) child.kill()
      await Promise.all(gone)
      await server?.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Resolves once the condition holds; asked again after each round. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, seconds = 20): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
