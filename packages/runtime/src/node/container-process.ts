/**
 * Starts a container's command in its pod's namespaces, learns of its end, and finds it again after this process was restarted.
 *
 *     shim (sh: writes the exit code to a file) ─ unshare (waits) ─ the command, process 1 of its own pid namespace
 *
 * The shim and what is below it belong to no terminal and to no pipe of this process, so they live on when it dies.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { childrenOf, descendantsOf, hasDefaultAction, identify, isRunning, type ProcessId, signal } from './process-table.ts'
import { enterSandbox } from './sandbox.ts'
import { line, quote } from './shell-text.ts'

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

export const TOOL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/**
 * Copies the output to the log through a pipe of its own: a command that opens `/dev/stdout` anew, as any user, finds a pipe there, and
 * cannot cut the log short. The exit code is written when everything has been copied.
 */
const SHIM = [
  'exit_file=$1; pipe=$exit_file.pipe; shift',
  'rm -f "$pipe"; mkfifo -m 0666 "$pipe" && chmod 0666 "$pipe" || exit 1',
  'cat <"$pipe" 3>&- &',
  'exec 5>"$pipe"; rm -f "$pipe"; exec >/dev/null 2>&1',
  '"$@" >&5 2>&5 5>&-; code=$?',
  'exec 3>&- 5>&-; wait; echo $code >"$exit_file.new" && mv "$exit_file.new" "$exit_file"',
].join('\n')
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
    writeFileSync(launch.setupFile, `${[...launch.setup, ...lastLines(launch)].join('\n')}\n`, { mode: 0o600 })
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
    // Beside the waiting process the shim has the one that copies the output, which has no children.
    return childrenOf(this.shim.pid).flatMap(childrenOf)[0]
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

function commandLine(launch: Launch): string[] {
  const enter = launch.sandbox === undefined ? [] : ['nsenter', ...enterSandbox(launch.sandbox), '--']
  return [
    ...enter,
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child=SIGKILL',
    '--propagation',
    'private',
    '--',
    'sh',
    launch.setupFile,
  ]
}

/** The script's end: tells that the root stands, and becomes the command. */
function lastLines(launch: Launch): string[] {
  return ['printf ok >&3 && exec 3>&-', 'unset LC_ALL OLDPWD', ...becomeCommand(launch)]
}

export interface CommandRequest {
  readonly credentials: Credentials
  readonly env: Readonly<Record<string, string>>
  readonly command: readonly string[]
  readonly manyIds: boolean
}

/**
 * Script lines that set the variables, give up rights and become the command. The variables are in a script because arguments can be
 * seen by everybody.
 */
export function becomeCommand(request: CommandRequest): string[] {
  const entries = Object.entries(request.env)
  const plain = entries.filter(([name]) => SHELL_NAME.test(name))
  // A shell cannot hold names such as `a.b`; these few go by way of `env`.
  const odd = entries.filter(([name]) => !SHELL_NAME.test(name)).map(([name, value]) => `${name}=${value}`)
  const command = [...asUser(request.credentials, request.manyIds), ...(odd.length > 0 ? ['env', ...odd] : []), ...request.command]
  return [...plain.map(([name, value]) => `export ${name}=${quote(value)}`), `exec ${line(...command)}`]
}

const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** By its full path, because PATH is the container's own by then; the host's files are there too. */
const SETPRIV =
  TOOL_PATH.split(':')
    .map((directory) => `${directory}/setpriv`)
    .find(existsSync) ?? 'setpriv'

/** The words that give up the rights which the container is not to have. */
function asUser(credentials: Credentials, manyIds: boolean): string[] {
  const words = [SETPRIV]
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
    // `close` comes after the pipe has been read to its end: a command that ends at once was started all the same.
    child.on('close', (code) => fail(`the root of the container could not be built (exit code ${code}); its log says why`))
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
