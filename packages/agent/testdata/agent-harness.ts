/** Runs an agent with a real Envoy in a folder and on ports of its own. */
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setLogSink } from '@lateen/base'
import { runProxy } from '../src/proxy.ts'
import type { ControlPlane } from './control-plane.ts'

/** Where Envoy is: ENVOY_PATH, or in PATH. */
export const ENVOY = [process.env.ENVOY_PATH, ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'envoy'))].find(isExecutable)

function isExecutable(path: string | undefined): path is string {
  try {
    accessSync(path ?? '', constants.X_OK)
    return path !== undefined && path !== ''
  } catch {
    return false
  }
}

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
    })),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export interface AgentFolder {
  readonly path: string
  readonly ports: { readonly admin: number; readonly status: number; readonly prometheus: number; readonly envoyStatus: number; readonly dns: number; readonly app: number; readonly traffic: number }
  remove(): Promise<void>
}

/** A folder laid out as an injected pod's file system, and ports. */
export async function makeAgentFolder(rootPem: string, files: Readonly<Record<string, string>> = {}): Promise<AgentFolder> {
  const path = await mkdtemp(join(tmpdir(), 'agent-'))
  const all = { 'var/run/secrets/istio/root-cert.pem': rootPem, 'var/run/secrets/tokens/istio-token': 'token-1\n', ...files }
  for (const [name, content] of Object.entries(all)) {
    await mkdir(join(path, name, '..'), { recursive: true })
    await writeFile(join(path, name), content)
  }
  const [admin = 0, status = 0, prometheus = 0, envoyStatus = 0, dns = 0, app = 0, traffic = 0] = await freePorts(7)
  return { path, ports: { admin, status, prometheus, envoyStatus, dns, app, traffic }, remove: () => rm(path, { recursive: true, force: true }) }
}

export interface RunningAgent {
  readonly folder: AgentFolder
  /** Everything that the agent and Envoy wrote. */
  readonly output: () => string
  readonly exit: Promise<number>
  /** As the kubelet does. */
  signal(): void
}

export interface AgentRun {
  readonly role?: 'sidecar' | 'router'
  readonly env?: Readonly<Record<string, string>>
  readonly proxyConfig?: Readonly<Record<string, unknown>>
  readonly flags?: readonly string[]
}

/** Starts an agent; it ends by `signal`. */
export function runAgent(folder: AgentFolder, plane: Pick<ControlPlane, 'port'>, run: AgentRun = {}): RunningAgent {
  const { ports } = folder
  let output = ''
  setLogSink((line) => (output += line))
  let onSignal: (signal: NodeJS.Signals) => void = () => undefined
  const exit = runProxy(
    [run.role ?? 'sidecar', '--domain', '$(POD_NAMESPACE).svc.cluster.local', '--concurrency', '1', ...(run.flags ?? [])],
    {
      PATH: process.env.PATH,
      ENVOY_PATH: ENVOY,
      POD_NAME: 'cart-1',
      POD_NAMESPACE: 'shop',
      SERVICE_ACCOUNT: 'cart',
      INSTANCE_IP: '127.0.0.1',
      ISTIOD_SAN: 'istiod.istio-system.svc',
      ENVOY_PROMETHEUS_PORT: String(ports.prometheus),
      ENVOY_STATUS_PORT: String(ports.envoyStatus),
      DNS_PROXY_ADDR: `127.0.0.1:${ports.dns}`,
      ISTIO_META_CLUSTER_ID: 'Kubernetes',
      ISTIO_META_WORKLOAD_NAME: 'cart',
      PROXY_CONFIG: JSON.stringify({
        discoveryAddress: `127.0.0.1:${plane.port}`,
        proxyAdminPort: ports.admin,
        statusPort: ports.status,
        terminationDrainDuration: '0s',
        ...run.proxyConfig,
      }),
      ...run.env,
    },
    {
      cwd: folder.path,
      stdout: (text) => (output += text),
      stderr: (text) => (output += text),
      onSignal: (listener) => {
        onSignal = listener
        return () => undefined
      },
    },
  )
  return { folder, exit, output: () => output, signal: () => onSignal('SIGTERM') }
}

/** Polls until a condition holds; the error of the last attempt when it does not within the time. */
export async function eventually<T>(attempt: () => Promise<T> | T, withinMs = 15_000): Promise<T> {
  const end = Date.now() + withinMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** A plain HTTP request. */
export function ask(port: number, path: string, options: http.RequestOptions = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end()
  })
}
