/** Questions to the user, on the terminal. */
import { createInterface } from 'node:readline/promises'
import { CommandError, EXIT } from './exit-codes.ts'

/** Whether the user says yes. @throws CommandError when there is nobody to ask: `skip` is the flag that answers */
export async function confirm(question: string, skip: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandError(`${question} There is no terminal to ask on: pass ${skip} to go on`, { exitCode: EXIT.usage })
  }
  // The result is what standard output is for.
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal })).trim())
  } catch {
    return false
  } finally {
    terminal.close()
  }
}
