/** One command line of the real tree, run in this process: what it wrote and its exit code. */
import { TREE } from '../src/commands/tree.ts'
import { runShell, type ShellOptions } from '../src/shell/shell.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export async function inProcess(argv: readonly string[], env: NodeJS.ProcessEnv, options: Partial<ShellOptions> = {}): Promise<Ran> {
  let [stdout, stderr] = ['', '']
  const streams = { stdout: { write: (more: string) => void (stdout += more) }, stderr: { write: (more: string) => void (stderr += more) } }
  const code = await runShell(argv, { tree: TREE, foreign: [], signal: new AbortController().signal, ...options, env, streams })
  return { code, stdout, stderr }
}

/** A command line that runs. */
export interface Begun {
  /** Resolves with what was written so far when that has `text`; rejects when the command ends without it. */
  shows(text: string): Promise<string>
  /** As Ctrl-C. */
  interrupt(): void
  readonly ended: Promise<Ran>
}

export function begin(argv: readonly string[], env: NodeJS.ProcessEnv): Begun {
  let [stdout, stderr] = ['', '']
  const waiting = new Set<() => void>()
  const wrote = () => {
    for (const look of waiting) look()
  }
  const streams = {
    stdout: { write: (more: string) => { stdout += more; wrote() } },
    stderr: { write: (more: string) => { stderr += more; wrote() } },
  }
  const interrupted = new AbortController()
  const running = runShell(argv, { tree: TREE, foreign: [], signal: interrupted.signal, env, streams })
  const ended = running.then((code) => ({ code, stdout, stderr }))
  return {
    shows: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!stdout.includes(text) && !stderr.includes(text)) return
          waiting.delete(look)
          resolve(stdout)
        }
        waiting.add(look)
        look()
        void ended.then((ran) => reject(new Error(`ended without "${text}": ${JSON.stringify(ran)}`)))
      }),
    interrupt: () => interrupted.abort(),
    ended,
  }
}
