/**
 * Starts a container's command in its pod's namespaces, learns of its end, and finds it again after this process was restarted.
 *
 *     shim (sh: writes the exit code to a file) ─ unshare (waits) ─ the command, process 1 of its own pid namespace
 *
 * The shim and what is below it belong to no terminal and to no pipe of this process, so they live on when it dies.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { childrenOf, descendantsOf, hasDefaultAction, identify, isRunning, type ProcessId, signal } from './process-table.ts'
import { enterSandbox } from './sandbox.ts'

export interface Credentials {
  readonly user: number
  readonly group: number
  readonly groups: readonly number[]
  /** Names in lower case without `cap_`; `all` for a privileged container. */
  readonly capabilities: readonly string[] | 'all'
  readonly noNewPrivileges: boolean
}

export interface Launch {
  /** Namespace files of the sandbox; `undefined` for the node's own network. */
  readonly sandbox: string | undefined
  readonly setup: readonly string[]
  readonly setupFile: string
  readonly logFile: string
  readonly exitFile: string
  readonly credentials: Credentials
  readonly env: Readonly<Record<string, string>>
  readonly command: readonly string[]
  /** Whether ids other than 0 are mapped; where not, everything runs as the one user there is. */
  readonly manyIds: boolean
}

export interface Exit {
  readonly code: number
  readonly signal?: number
}

const SHIM = 'f=$1; shift; exec 4>&2 2>/dev/null; "$@" 2>&4 4>&-; c=$?; echo $c >"$f.new" && mv "$f.new" "$f"'
const STARTED = 'printf ok >&3 && exec 3>&- && exec "$@"'
const ADOPTED_POLL_MS = 500

/** A running or ended container process. */
export class ContainerProcess {
  readonly shim: ProcessId
  readonly exited: Promise<Exit>
  readonly #exitFile: string
  #ended = false

  private constructor(shim: ProcessId, exitFile: string, ended: Promise<Exit>) {
    this.shim = shim
    this.#exitFile = exitFile
    this.exited = ended.then((exit) => {
      this.#ended = true
      return exit
    })
  }

  /**
   * Starts the command and waits until its root is built and it is about to be executed.
   *
   * @throws StartError when the root could not be built
   */
  static async start(launch: Launch): Promise<ContainerProcess> {
    rmSync(launch.exitFile, { force: true })
    writeFileSync(launch.setupFile, `${[...launch.setup, STARTED].join('\n')}\n`, { mode: 0o600 })
    const log = openSync(launch.logFile, 'a', 0o600)
    try {
      const child = spawn('sh', ['-c', SHIM, 'lateen-shim', launch.exitFile, ...commandLine(launch)], {
        cwd: '/',
        detached: true,
        stdio: ['ignore', log, log, 'pipe'],
        env: { PATH: TOOL_PATH, LC_ALL: 'C' },
      })
      await started(child)
      const shim = identify(child.pid ?? 0)
      // Ended already: the exit file tells how.
      const id = shim ?? { pid: child.pid ?? 0, startTime: '' }
      child.unref()
      return new ContainerProcess(id, launch.exitFile, endOf(child, launch.exitFile))
    } finally {
      closeSync(log)
    }
  }

  /** Takes over a process that an earlier life of this program started. */
  static adopt(shim: ProcessId, exitFile: string): ContainerProcess {
    const ended = new Promise<Exit>((resolve) => {
      const look = () => {
        if (isRunning(shim)) return
        clearInterval(timer)
        resolve(readExit(exitFile))
      }
      const timer = setInterval(look, ADOPTED_POLL_MS)
      timer.unref()
      look()
    })
    return new ContainerProcess(shim, exitFile, ended)
  }

  get running(): boolean {
    return !this.#ended && isRunning(this.shim) && !existsSync(this.#exitFile)
  }

  /** Process 1 of the container as this program sees it. */
  get mainPid(): number | undefined {
    const [waiter] = childrenOf(this.shim.pid)
    return waiter === undefined ? undefined : childrenOf(waiter)[0]
  }

  /**
   * Asks the command to end. A first process ignores SIGTERM unless it handles it; where an ordinary process would have died it is
   * killed at once, instead of letting the grace period pass for nothing.
   */
  terminate(): void {
    const pid = this.mainPid
    if (pid === undefined) return this.kill()
    if (hasDefaultAction(pid, 15)) this.kill()
    else signal(pid, 'SIGTERM')
  }

  /** Kills the command; the kernel ends everything else in its pid namespace. */
  kill(): void {
    const pid = this.mainPid
    if (pid !== undefined) signal(pid, 'SIGKILL')
    else for (const each of descendantsOf(this.shim.pid)) signal(each, 'SIGKILL')
  }
}

export class StartError extends Error {
  override readonly name = 'StartError'
  readonly code = 'START'
}

const TOOL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function commandLine(launch: Launch): string[] {
  const enter = launch.sandbox === undefined ? [] : ['nsenter', ...enterSandbox(launch.sandbox), '--']
  const isolate = ['unshare', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--propagation', 'private', '--']
  return [...enter, ...isolate, 'sh', launch.setupFile, ...asUser(launch.credentials, launch.manyIds), ...withEnvironment(launch.env), ...launch.command]
}

/** The words that give up the rights which the container is not to have. */
export function asUser(credentials: Credentials, manyIds: boolean): string[] {
  const words = ['setpriv']
  if (manyIds) {
    words.push('--reuid', String(credentials.user), '--regid', String(credentials.group))
    words.push(credentials.groups.length > 0 ? `--groups=${credentials.groups.join(',')}` : '--clear-groups')
  }
  if (credentials.capabilities !== 'all') {
    words.push(`--inh-caps=-all`, `--bounding-set=${['-all', ...credentials.capabilities.map((name) => `+${name}`)].join(',')}`)
  }
  if (credentials.noNewPrivileges) words.push('--no-new-privs')
  return [...words, '--']
}

export function withEnvironment(env: Readonly<Record<string, string>>): string[] {
  return ['env', '-i', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)]
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const pipe = child.stdio[3]
    let ready = false
    const fail = (why: string) => {
      if (!ready) reject(new StartError(why))
    }
    pipe?.on('data', () => {
      ready = true
      resolve()
      pipe.destroy()
    })
    pipe?.on('error', () => undefined)
    child.on('error', (error) => fail(`cannot run sh: ${error.message}`))
    child.on('exit', (code) => setImmediate(() => fail(`the root of the container could not be built (exit code ${code}); its log says why`)))
  })
}

function endOf(child: ChildProcess, exitFile: string): Promise<Exit> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(readExit(exitFile))
  return new Promise((resolve) => child.on('exit', () => resolve(readExit(exitFile))))
}

/** A shim that was killed leaves no file; its children die with it. */
function readExit(exitFile: string): Exit {
  try {
    const code = Number.parseInt(readFileSync(exitFile, 'utf8'), 10)
    return code > 128 && code < 193 ? { code, signal: code - 128 } : { code }
  } catch {
    return { code: 137, signal: 9 }
  }
}
