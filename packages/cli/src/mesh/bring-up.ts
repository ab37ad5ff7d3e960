/** From nothing to a ready mesh, as `up` and `demo` need it: checks, ports, the supervisor, and the wait. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findEnvoy } from '../host/envoy.ts'
import { prepareHost } from '../host/prepare-host.ts'
import type { Context, Flag } from '../shell/command.ts'
import { HOME_FLAG } from '../shell/command.ts'
import { CommandError } from '../shell/exit-codes.ts'
import type { Progress } from '../shell/progress.ts'
import { choosePorts } from './choose-ports.ts'
import { checkSpace, type Home, homeAt, makeHome } from './home.ts'
import { withHomeLock } from './home-lock.ts'
import { chooseInternet, INTERNET } from './internet.ts'
import { chooseIpFamilies, IP_FAMILIES } from './ip-family.ts'
import { isAlive, recordOf } from './process-record.ts'
import { isSupervised, type MeshState, readState } from './state.ts'
import { askMesh, listDeployments, notReadyPods } from './workloads.ts'

export const UP_FLAGS: readonly Flag[] = [
  { name: 'api-port', value: 'PORT', type: 'integer', help: 'port of the API server on 127.0.0.1 (default: 6443, or the next free one)' },
  {
    name: 'gateway-port',
    value: 'PORT',
    type: 'integer',
    help: 'port of the ingress gateway on 127.0.0.1 (default: 8080, or the next free one)',
  },
  {
    name: 'gateway-tls-port',
    value: 'PORT',
    type: 'integer',
    help: "the gateway's TLS port on 127.0.0.1 (default: 8443, or the next free one)",
  },
  {
    name: 'ip-family',
    value: 'FAMILY',
    choices: IP_FAMILIES,
    help: 'addresses of pods and Services: ipv4, or dual for IPv4 and IPv6 (default: as before, else ipv4)',
  },
  {
    name: 'internet',
    value: 'WHETHER',
    choices: INTERNET,
    help: 'whether pods reach networks outside this machine, by slirp4netns (default: $LATEEN_INTERNET, as before, else on where that is installed)',
  },
  { name: 'envoy', value: 'PATH', help: 'the Envoy binary (default: $ENVOY_PATH, PATH, the cache, or fetched)' },
  HOME_FLAG,
]

/** A first start on a slow machine takes some 20 s; what takes ten times as long has gone wrong. */
const READY_WITHIN_MS = 180_000
const POLL_MS = 100
const LOG_LINES = 15

export interface RunningMesh {
  readonly home: Home
  readonly state: MeshState
  readonly alreadyRunning: boolean
}

/**
 * Starts the mesh of the context's home, or finds it running, and resolves when istiod and the gateway are ready.
 *
 * @throws CommandError with the remedy; what was started by then is left for `status` and `logs`
 */
export async function bringUp({ flags, env, home: root, progress, signal }: Context): Promise<RunningMesh> {
  const home = homeAt(root)
  let alreadyRunning = isSupervised(readState(home))
  if (!alreadyRunning) {
    makeHome(home)
    checkSpace(home)
    await prepareHost(env, progress)
    const envoy = await envoyWithProgress(flags.text('envoy'), env, progress)
    await withHomeLock(home, async () => {
      const present = readState(home)
      alreadyRunning = isSupervised(present)
      if (alreadyRunning) return
      const { ports, notes } = await portsFor(home, present, flags)
      for (const note of notes) progress.note(note)
      const ipFamily = chooseIpFamilies(home, flags.text('ip-family'))
      const internet = chooseInternet(home, flags.text('internet') ?? env['LATEEN_INTERNET'], env)
      await startSupervisor(home, { envoy, internet, ipFamily, ports: `${ports.api},${ports.http},${ports.https}` })
    })
  }
  await clusterReady(home, progress, signal)
  await workloadsReady(home, progress, signal)
  const state = readState(home)
  if (!state) throw new CommandError(`${home.state} has gone while the mesh was starting; was lateen down called meanwhile?`)
  if (alreadyRunning && asksForOtherPorts(flags, state))
    progress.note('the mesh runs already, on the ports below; to change them: lateen down, then up again')
  return { home, state, alreadyRunning }
}

function asksForOtherPorts(flags: Context['flags'], { ports }: MeshState): boolean {
  const asked = [
    [flags.integer('api-port'), ports.api],
    [flags.integer('gateway-port'), ports.http],
    [flags.integer('gateway-tls-port'), ports.https],
  ]
  return asked.some(([wanted, has]) => wanted !== undefined && wanted !== has)
}

async function envoyWithProgress(explicit: string | undefined, env: NodeJS.ProcessEnv, progress: Progress): Promise<string> {
  let step: ReturnType<Progress['step']> | undefined
  try {
    const path = await findEnvoy({ explicit, env, progress: (text) => (step = progress.step(text)) })
    step?.done('Envoy fetched')
    return path
  } catch (error) {
    step?.fail()
    throw error
  }
}

/** A mesh whose cluster process lives on keeps its ports: that process holds them. */
async function portsFor(home: Home, present: MeshState | undefined, flags: Context['flags']) {
  if (present?.cluster && isAlive(present.cluster)) return { ports: present.ports, notes: [] }
  return choosePorts(home, Object.fromEntries(['api-port', 'gateway-port', 'gateway-tls-port'].map((name) => [name, flags.integer(name)])))
}

interface SupervisorOptions {
  readonly envoy: string
  readonly internet: string
  readonly ipFamily: string
  readonly ports: string
}

/** Starts it apart from this terminal, and resolves when it has written down its state. */
async function startSupervisor(home: Home, { envoy, internet, ipFamily, ports }: SupervisorOptions): Promise<void> {
  const log = openSync(supervisorLog(home), 'a', 0o600)
  const program = process.argv[1]
  if (!program) throw new CommandError('cannot tell which program this is; start it by its path')
  const child = spawn(
    process.execPath,
    [
      ...['--lite-mode', '--max-semi-space-size=1', program, 'supervise'],
      ...['--home', home.root, '--envoy', envoy, '--ports', ports, '--ip-family', ipFamily, '--internet', internet],
    ],
    {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    },
  )
  closeSync(log)
  if (!child.pid) throw new CommandError(`cannot start ${process.execPath}`)
  const record = recordOf(child.pid)
  child.unref()
  const end = Date.now() + 10_000
  while (readState(home)?.supervisor.pid !== record.pid) {
    if (!isAlive(record) || Date.now() > end) throw new CommandError(`the supervisor did not start:\n${lastLines(supervisorLog(home))}`)
    await delay(POLL_MS)
  }
}

async function clusterReady(home: Home, progress: Progress, signal: AbortSignal): Promise<void> {
  const step = progress.step('starting the API server and the node')
  const end = Date.now() + READY_WITHIN_MS
  for (;;) {
    const state = readState(home)
    if (state?.phase === 'ready') return step.done('API server and node are up')
    const problem = problemOf(home, state, end, signal)
    if (problem) {
      step.fail()
      throw new CommandError(problem)
    }
    step.update(state?.message ?? '')
    await delay(POLL_MS)
  }
}

function problemOf(home: Home, state: MeshState | undefined, end: number, signal: AbortSignal): string | undefined {
  if (signal.aborted) return 'stopped before the mesh was ready; lateen down ends what has begun'
  if (!state) return 'the mesh was taken down while it was starting'
  if (state.phase === 'failed') return state.message
  if (!isSupervised(state)) return `the supervisor (process ${state.supervisor.pid}) has ended:\n${lastLines(supervisorLog(home))}`
  if (Date.now() > end)
    return `the mesh is not up after ${READY_WITHIN_MS / 1000} s; last: ${state.message}\n${lastLines(join(home.logs, 'cluster.log'))}`
  return undefined
}

async function workloadsReady(home: Home, progress: Progress, signal: AbortSignal): Promise<void> {
  const step = progress.step('waiting for istiod and the gateway')
  const end = Date.now() + READY_WITHIN_MS
  for (;;) {
    const { waitingFor, problems } = await askMesh(home, async (client) => {
      const deployments = await listDeployments(client, 'istio-system')
      const missing = deployments.filter(({ ready, wanted }) => ready < wanted).map(({ name }) => name)
      return {
        waitingFor: deployments.length === 0 ? ['istiod'] : missing,
        problems: missing.length > 0 ? await notReadyPods(client, 'istio-system') : [],
      }
    }).catch((error: unknown) => ({ waitingFor: ['the API server'], problems: [error instanceof Error ? error.message : String(error)] }))
    if (waitingFor.length === 0) return step.done('istiod and the gateway are ready')
    step.update(waitingFor.join(', '))
    if (signal.aborted || Date.now() > end) {
      step.fail()
      throw new CommandError(
        signal.aborted
          ? 'stopped before the mesh was ready; lateen down ends what has begun'
          : `not ready after ${READY_WITHIN_MS / 1000} s: ${waitingFor.join(', ')}\n${problems.join('\n')}\nlateen logs tells more; lateen down ends the mesh`,
      )
    }
    await delay(POLL_MS)
  }
}

const supervisorLog = (home: Home) => join(home.logs, 'supervisor.log')

function lastLines(path: string): string {
  if (!existsSync(path)) return ''
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-LOG_LINES)
    .map((line) => `  ${line}`)
    .join('\n')
}
