/** The embedded API server and `lateen discovery`, as processes of a benchmark. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts, type Processes, run } from './processes.ts'

const ROOT = join(import.meta.dirname, '..')

export interface Target {
  readonly api: string
  readonly token: string
  readonly xds: string
  readonly pid: number
}

export interface Running extends Target {
  /** xDS and certificates over TLS. */
  readonly secure: string
  readonly kubeconfig: string
}

export interface ControlPlaneOptions {
  /** Path of the load generator. */
  readonly generator: string
  readonly folder: string
  readonly services: string
  /** A built `lateen` in place of the sources. */
  readonly lateen: string | undefined
}

/** Starts both, with the load generator's Services in place. */
export async function controlPlane(
  processes: Processes,
  { generator, folder, services, lateen: built }: ControlPlaneOptions,
): Promise<Running> {
  const apiServer = processes.start('api', [process.execPath, join(import.meta.dirname, 'api-server.ts'), join(folder, 'data')])
  const { port, token, ca } = fields(await apiServer.firstLine)
  const api = `https://127.0.0.1:${port}`
  await run([generator, 'setup', '-api', api, '-token', token ?? '', '-services', services])
  const kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, kubeconfigText(api, token ?? '', ca ?? ''), { mode: 0o600 })
  const [grpc, secure, http, https, monitoring] = (await freePorts(5)).map((free) => `127.0.0.1:${free}`)
  const lateen: [string, ...string[]] = built ? [built] : [process.execPath, join(ROOT, 'packages/lateen/src/main.ts')]
  const addresses = [
    '--grpcAddr',
    grpc,
    '--secureGRPCAddr',
    secure,
    '--httpAddr',
    http,
    '--httpsAddr',
    https,
    '--monitoringAddr',
    monitoring,
  ]
  const discovery = processes.start(
    'discovery',
    [...lateen, 'discovery', '--kubeconfig', kubeconfig, '--log_target', 'stderr', ...addresses.map((text) => text ?? '')],
    { PILOT_MAX_REQUESTS_PER_SECOND: '0' },
  )
  const failed = discovery.firstLine.then(() => new Promise<never>(() => undefined))
  await Promise.race([ready(`http://${http}/ready`), failed])
  return { api, token: token ?? '', xds: grpc ?? '', pid: discovery.pid, secure: secure ?? '', kubeconfig }
}

async function ready(url: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; ) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    if (Date.now() > end) throw new Error(`the control plane is not ready after a minute: ${url} answers ${answer?.status ?? 'nothing'}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The texts of a line of JSON. */
export function fields(line: string): Record<string, string> {
  const parsed: unknown = JSON.parse(line)
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`not an object: ${line}`)
  return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]))
}

function kubeconfigText(server: string, token: string, ca: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    clusters: [{ name: 'bench', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'bench', user: { token } }],
  })
}
