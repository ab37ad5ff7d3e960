/**
 * How fast, and at what cost, changes reach many proxies.
 *
 *     node bench/xds.ts                 the embedded API server and `lateen discovery`, from this checkout's sources
 *     node bench/xds.ts --synthetic     the xDS server alone, over resources made of nothing
 *
 * Options: --proxies 200 --services 1000 --rounds 5 --lateen PATH (a built `lateen` in place of the sources).
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadGenerator } from './load-generator.ts'
import { freePorts, Processes, run } from './processes.ts'
import { printComparison } from './xds-report.ts'

const ROOT = join(import.meta.dirname, '..')

const { values: options } = parseArgs({
  options: {
    synthetic: { type: 'boolean', default: false },
    proxies: { type: 'string', default: '200' },
    services: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    lateen: { type: 'string' },
  },
})

interface Target {
  readonly api: string
  readonly token: string
  readonly xds: string
  readonly pid: number
}

await using processes = new Processes()
const generator = await loadGenerator()
if ('missing' in generator) {
  process.stdout.write(`skipped: ${generator.missing}\n`)
} else {
  const folder = await mkdtemp(join(tmpdir(), 'lateen-bench-xds-'))
  try {
    await measure(generator.path, folder)
  } finally {
    await processes[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(generator: string, folder: string): Promise<void> {
  const target = options.synthetic ? await synthetic() : await controlPlane(generator, folder)
  const figures = join(folder, 'figures.json')
  const { api, token, xds, pid } = target
  const sizes = ['-services', options.services, '-proxies', options.proxies, '-rounds', options.rounds]
  await run([
    generator,
    'run',
    '-api',
    api,
    '-token',
    token,
    '-xds',
    xds,
    '-pid',
    String(pid),
    '-json',
    figures,
    '-timeout',
    '60s',
    ...sizes,
  ])
  printComparison(await readFile(figures, 'utf8'))
}

async function synthetic(): Promise<Target> {
  const server = processes.start('xds', [process.execPath, join(import.meta.dirname, 'synthetic-server.ts')], {
    SERVICES: options.services,
  })
  const { xds, api } = fields(await server.firstLine)
  return { api: `http://127.0.0.1:${api}`, token: '', xds: `127.0.0.1:${xds}`, pid: server.pid }
}

async function controlPlane(generator: string, folder: string): Promise<Target> {
  const apiServer = processes.start('api', [process.execPath, join(import.meta.dirname, 'api-server.ts'), join(folder, 'data')])
  const { port, token, ca } = fields(await apiServer.firstLine)
  const api = `https://127.0.0.1:${port}`
  await run([generator, 'setup', '-api', api, '-token', token ?? '', '-services', options.services])
  const kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, kubeconfigText(api, token ?? '', ca ?? ''), { mode: 0o600 })
  const [grpc, secure, http, https, monitoring] = (await freePorts(5)).map((free) => `127.0.0.1:${free}`)
  const lateen: [string, ...string[]] = options.lateen ? [options.lateen] : [process.execPath, join(ROOT, 'packages/lateen/src/main.ts')]
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
  return { api, token: token ?? '', xds: grpc ?? '', pid: discovery.pid }
}

async function ready(url: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; ) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    if (Date.now() > end) throw new Error(`the control plane is not ready after a minute: ${url} answers ${answer?.status ?? 'nothing'}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function fields(line: string): Record<string, string> {
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
