/**
 * What a mesh on this machine costs and how fast it follows, each with its target: memory when idle, a sidecar agent's memory, time
 * to the first answer through the gateway, time from `kubectl apply` to changed answers.
 *
 * usage: node bench/local.ts            (needs root or user namespaces, and kubectl; prints a table; exits 1 when a target is missed)
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '..')
const BOOKINFO = join(ROOT, 'packages/runtime/samples/manifests/bookinfo.yaml')
const APPLIES = 20
const MIB = 1024

interface Row {
  readonly what: string
  readonly measured: string
  readonly target: string
  readonly met: boolean
}

interface Mesh {
  readonly home: string
  readonly apiPort: number
  readonly httpPort: number
  readonly env: NodeJS.ProcessEnv
}

interface Footprint {
  readonly command: string
  /** MiB; pages shared with others count by share in `pss`, wholly in `rss`. */
  readonly pss: number
  readonly rss: number
}

async function measure(at: Mesh): Promise<Row[]> {
  await lateen(at, 'version')
  const began = performance.now()
  await lateen(at, 'up', '--detach', '--api-port', String(at.apiPort), '--gateway-port', String(at.httpPort))
  const up = performance.now() - began
  // Idle is after start-up work is over, not the moment of its end.
  await delay(5_000)
  const idle = footprints(at)
  await kubectl(at, 'label', 'namespace', 'default', 'istio-injection=enabled')
  const applied = performance.now()
  await kubectl(at, 'apply', '-f', BOOKINFO)
  await apply(at, gateway + versions('v1'))
  await answered(at, ({ status }) => status === 200, 60_000)
  const first = up + performance.now() - applied
  for (const name of ['productpage-v1', 'details-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3'])
    await kubectl(at, 'rollout', 'status', `deployment/${name}`, '--timeout=60s')
  const changes = await timeChanges(at)
  const agents = footprints(at).filter(({ command }) => /lateen\.mjs proxy sidecar/.test(command))
  return [
    row('idle mesh, all processes (PSS)', sum(idle, 'pss'), 250, 'MB'),
    ...idle
      .filter(({ pss }) => pss >= 3)
      .map((one) => ({
        what: `  ${label(one.command)}`,
        measured: `${one.pss.toFixed(0)} MB (RSS ${one.rss.toFixed(0)})`,
        target: '',
        met: true,
      })),
    row("a sidecar's agent (PSS)", sum(agents, 'pss') / agents.length, 60, 'MB'),
    row("a sidecar's agent (RSS)", sum(agents, 'rss') / agents.length, 60, 'MB'),
    row('"up" to a ready mesh, and Bookinfo to the first 200', first / 1000, 15, 's'),
    row(`kubectl apply to changed answers, median of ${APPLIES}`, median(changes), 300, 'ms'),
    { what: '  slowest', measured: `${Math.max(...changes).toFixed(0)} ms`, target: '', met: true },
  ]
}

/** From the start of `kubectl apply` to the first changed answer, in milliseconds, again and again. */
async function timeChanges(at: Mesh): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < APPLIES; i++) {
    const want = `round-${i}`
    const began = performance.now()
    const [, seen] = await Promise.all([
      apply(at, versions(want)),
      answered(at, ({ headers }) => headers['x-version'] === want, 20_000).then(() => performance.now() - began),
    ])
    times.push(seen)
  }
  return times
}

const gateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: bench, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
---`

const versions = (version: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bench, namespace: default }
spec:
  hosts: ["*"]
  gateways: [bench]
  http:
    - headers: { response: { set: { x-version: ${version} } } }
      route: [{ destination: { host: productpage, port: { number: 9080 } } }]
`

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

async function answered(at: Mesh, wanted: (answer: Answer) => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs
  while (!wanted(await get(at.httpPort))) {
    if (performance.now() > end) throw new Error(`no such answer from the gateway within ${withinMs / 1000} s`)
    await delay(3)
  }
}

function get(port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/health', timeout: 5_000 }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', () => resolve({ status: 0, headers: {} }))
    sent.end()
  })
}

/** Everything that runs for the mesh: the descendants of its supervisor, and of the node that outlives it. */
function footprints(at: Mesh): Footprint[] {
  const state: unknown = JSON.parse(readFileSync(join(at.home, 'run/state.json'), 'utf8'))
  const roots = new Set([...JSON.stringify(state).matchAll(/"pid":(\d+)/g)].map(([, pid]) => Number(pid)))
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  const parents = new Map(pids.map((pid) => [pid, parentOf(pid)]))
  const belongs = (pid: number | undefined): boolean => pid !== undefined && pid > 1 && (roots.has(pid) || belongs(parents.get(pid)))
  return pids.filter(belongs).flatMap(footprintOf)
}

function parentOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat ? Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) : undefined
}

function footprintOf(pid: number): Footprint[] {
  const rollup = read(`/proc/${pid}/smaps_rollup`)
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0)
  if (!rollup) return []
  return [{ command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '), pss: kib('Pss') / MIB, rss: kib('Rss') / MIB }]
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function label(command: string): string {
  if (/envoy -c/.test(command)) return "the gateway's Envoy"
  return /lateen\.mjs (\w+( (router|sidecar))?)/.exec(command)?.[1] ?? command.slice(0, 40)
}

const sum = (all: readonly Footprint[], field: 'pss' | 'rss') => all.reduce((total, one) => total + one[field], 0)
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

function row(what: string, value: number, target: number, unit: string): Row {
  return { what, measured: `${value.toFixed(unit === 's' ? 1 : 0)} ${unit}`, target: `< ${target} ${unit}`, met: value < target }
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ what, measured, target, met }) =>
      `${what.padEnd(56)}${measured.padEnd(22)}${target.padEnd(12)}${target === '' ? '' : met ? 'met' : 'MISSED'}`,
  )
  return `${'WHAT'.padEnd(56)}${'MEASURED'.padEnd(22)}${'TARGET'.padEnd(12)}VERDICT\n${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

async function newMesh(): Promise<Mesh> {
  const home = mkdtempSync(join(tmpdir(), 'lateen-bench-'))
  const env = { ...process.env, LATEEN_HOME: home, KUBECONFIG: join(home, 'kubeconfig'), NO_COLOR: '1' }
  return { home, env, apiPort: await freePort(), httpPort: await freePort() }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

const lateen = ({ env }: Mesh, ...args: string[]) => run(join(ROOT, 'bin/lateen'), args, env)
const kubectl = ({ env }: Mesh, ...args: string[]) => run('kubectl', args, env)
const apply = ({ env }: Mesh, yaml: string) => run('kubectl', ['apply', '-f', '-'], env, yaml)

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, stdin = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { env, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')}: ${error.message}\n${stderr}`))
      else resolve(stdout)
    })
    child.stdin?.end(stdin)
  })
}

const mesh = await newMesh()
try {
  const rows = await measure(mesh)
  process.stdout.write(table(rows))
  process.exitCode = rows.every(({ met }) => met) ? 0 : 1
} finally {
  await lateen(mesh, 'down').catch(() => undefined)
  rmSync(mesh.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
}
