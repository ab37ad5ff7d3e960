/** Runs a further command inside a running container. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { becomeCommand, type Credentials, TOOL_PATH } from './container-process.ts'
import { descendantsOf, signal as sendSignal } from './process-table.ts'
import { line, quote } from './shell-text.ts'

export interface ExecTarget {
  /** The container's first process. */
  readonly pid: number
  readonly credentials: Credentials
  readonly env: Readonly<Record<string, string>>
  readonly workingDirectory: string
  readonly manyIds: boolean
}

export interface ExecStreams {
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
  readonly tty: boolean
  readonly resize?: (listener: (columns: number, rows: number) => void) => void
  readonly signal: AbortSignal
}

const MAX_CAPTURED = 64 << 10
const RESIZE_AGAIN_MS = 20
const RESIZE_TRIES = 100

/** Exit code of the command; 126 and 127 when it could not be executed or found. */
export async function execIn(target: ExecTarget, command: readonly string[], streams: ExecStreams): Promise<{ exitCode: number }> {
  const child = start(target, command, { terminal: streams.tty, input: true })
  const stop = () => {
    for (const pid of [...descendantsOf(child.pid ?? 0), child.pid ?? 0]) if (pid > 0) sendSignal(pid, 'SIGKILL')
  }
  streams.signal.addEventListener('abort', stop, { once: true })
  if (streams.signal.aborted) stop()
  connectStreams(child, streams)
  if (streams.tty) streams.resize?.(terminalResizer(child))
  try {
    return { exitCode: await exitOf(child) }
  } finally {
    streams.signal.removeEventListener('abort', stop)
    streams.stdin?.unpipe()
  }
}

/** Runs a command to its end and keeps what it says, for probes and hooks. */
export async function execCaptured(
  target: ExecTarget,
  command: readonly string[],
  timeout: number,
): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  const child = start(target, command, { terminal: false, input: false })
  let output = ''
  const keep = (chunk: Buffer) => {
    if (output.length < MAX_CAPTURED) output += chunk.toString()
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  let timedOut = false
  const deadline = setTimeout(() => {
    timedOut = true
    for (const pid of [...descendantsOf(child.pid ?? 0), child.pid ?? 0]) if (pid > 0) sendSignal(pid, 'SIGKILL')
  }, timeout)
  try {
    return { exitCode: await exitOf(child), output, timedOut }
  } finally {
    clearTimeout(deadline)
  }
}

/** Reads the script from descriptor 3: neither variables nor the command's secrets show in a list of processes. */
const RUN_SCRIPT = 'lines=$(cat <&3); exec 3<&-; eval "$lines"'
const ENVIRONMENT = { PATH: TOOL_PATH }

function enterCommand(target: ExecTarget): string[] {
  return ['nsenter', '-t', String(target.pid), '--net', '--uts', '--ipc', '--mount', '--pid', '--']
}

function start(target: ExecTarget, command: readonly string[], how: { readonly terminal: boolean; readonly input: boolean }): ChildProcess {
  const shell = ['sh', '-c', RUN_SCRIPT]
  // `script` gives the command a terminal; its own input and output stay plain pipes. It runs inside the container, so that the
  // terminal has a name there and the command leads a session whose process groups it can see.
  const inside = how.terminal ? ['script', '--quiet', '--return', '--flush', '--command', `exec ${line(...shell)}`, '/dev/null'] : shell
  const words = [...enterCommand(target), ...inside]
  const env = how.terminal ? { ...ENVIRONMENT, SHELL: '/bin/sh', TERM: target.env.TERM ?? 'xterm' } : ENVIRONMENT
  const child = spawn(words[0] ?? '', words.slice(1), {
    stdio: [how.input ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
    env,
    detached: true,
    cwd: '/',
  })
  const script = child.stdio[3]
  if (script && 'end' in script) {
    script.on('error', () => undefined)
    script.end(
      [
        `cd ${quote(target.workingDirectory)} 2>/dev/null || cd /`,
        ...(how.terminal ? ['unset SHELL'] : []),
        ...becomeCommand({ ...target, command }),
      ].join('\n'),
    )
  }
  return child
}

function connectStreams(child: ChildProcess, streams: ExecStreams): void {
  child.stdin?.on('error', () => undefined)
  if (streams.stdin && child.stdin) streams.stdin.pipe(child.stdin)
  else if (!streams.tty) child.stdin?.end()
  if (streams.stdout) child.stdout?.pipe(streams.stdout, { end: false })
  else child.stdout?.resume()
  const errors = streams.stderr ?? (streams.tty ? streams.stdout : undefined)
  if (errors) child.stderr?.pipe(errors, { end: false })
  else child.stderr?.resume()
}

/** The first size often comes before the terminal is there: it is tried again for a while, unless a newer one came. */
function terminalResizer(child: ChildProcess): (columns: number, rows: number) => void {
  let retry: NodeJS.Timeout | undefined
  const resize = (columns: number, rows: number, tries: number) => {
    const terminal = descendantsOf(child.pid ?? 0)
      .map(terminalOf)
      .find((path) => path !== undefined)
    if (terminal)
      spawn('stty', ['-F', terminal, 'cols', String(columns), 'rows', String(rows)], { stdio: 'ignore' }).on('error', () => undefined)
    else if (tries > 0 && child.exitCode === null) retry = setTimeout(() => resize(columns, rows, tries - 1), RESIZE_AGAIN_MS)
  }
  return (columns, rows) => {
    clearTimeout(retry)
    if (Number.isInteger(columns) && Number.isInteger(rows)) resize(columns, rows, RESIZE_TRIES)
  }
}

function terminalOf(pid: number): string | undefined {
  try {
    // The name is the container's; only through the descriptor can it be opened from outside.
    const path = `/proc/${pid}/fd/0`
    return readlinkSync(path).startsWith('/dev/pts/') ? path : undefined
  } catch {
    return undefined
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`the command could not be run: ${error.message}`)))
    // `close` comes after the output has been read, `exit` may come before.
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)))
  })
}
