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
