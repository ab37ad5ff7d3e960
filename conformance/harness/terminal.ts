/** Commands with a terminal: the pseudo-terminal of `script`. */
import { spawn } from 'node:child_process'
import { eventually } from './eventually.ts'

export interface Terminal {
  /** What the terminal shows so far, with plain line ends. */
  output(): string
  /** Resolves when the terminal shows `text`; rejects when it does not in time. */
  shows(text: string): Promise<void>
  /** `\u0003` is Ctrl-C, `\u0004` Ctrl-D. */
  type(keys: string): void
  /** The exit code of the command. */
  readonly ended: Promise<number>
}

export interface TerminalOptions {
  readonly env: NodeJS.ProcessEnv
  /** 100 when not given. */
  readonly columns?: number
}

/** A shell command with a terminal of its own. */
export function inTerminal(command: string, { env, columns = 100 }: TerminalOptions): Terminal {
  const child = spawn('script', ['-qec', `stty cols ${columns} rows 40; ${command}`, '/dev/null'], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000,
    // An interactive shell passes SIGTERM over.
    killSignal: 'SIGKILL',
  })
  let written = ''
  child.stdout.on('data', (chunk) => {
    written += String(chunk)
  })
  // Keys for a command that has ended are nobody's.
  child.stdin.on('error', () => undefined)
  const output = () => written.replaceAll('\r\n', '\n')
  return {
    output,
    shows: async (text) => void (await eventually(() => output().includes(text))),
    type: (keys) => void child.stdin.write(keys),
    ended: new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1))),
  }
}
