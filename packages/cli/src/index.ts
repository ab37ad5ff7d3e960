/** The command line: everything that `lateen COMMAND` does, but for the programs that the dispatcher starts itself. */
import { WORDS } from './commands/absent.ts'
import { withFormerNames } from './commands/former-names.ts'
import { INTRODUCTION, SECTIONS } from './commands/help-sections.ts'
import { FOREIGN, TREE } from './commands/tree.ts'
import { runShell } from './shell/shell.ts'

/** Runs one command line and resolves to the exit code of the process. */
export async function runCli(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const abort = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => abort.abort(name))
  // `lateen logs | head`: the reader has gone, and that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return runShell(argv, {
    tree: withFormerNames(TREE),
    introduction: INTRODUCTION,
    sections: SECTIONS,
    words: WORDS,
    foreign: FOREIGN,
    env,
    streams: { stdout: process.stdout, stderr: process.stderr },
    signal: abort.signal,
  })
}
