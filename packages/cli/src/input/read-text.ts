/** Files that users name. */
import { readFileSync } from 'node:fs'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

/** The text of a file; `-` is the standard input. @throws CommandError when it cannot be read */
export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown fault'
    throw new CommandError(`cannot read ${path}: ${reason}`, { exitCode: EXIT.data, cause: error })
  }
}
