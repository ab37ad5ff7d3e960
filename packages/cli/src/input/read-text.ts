/** Text of files that users name, bounded. */
import { readFileSync, statSync } from 'node:fs'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

const LARGEST_BYTES = 64 * 1024 * 1024

/** The text of a file; `-` is the standard input. @throws CommandError when it cannot be read or is too large */
export function readText(path: string): string {
  if (path === '-') return reading('standard input', () => readFileSync(0, 'utf8'))
  const { size } = reading(path, () => statSync(path))
  if (size > LARGEST_BYTES) throw new CommandError(`${path} is larger than ${LARGEST_BYTES / 1024 / 1024} MiB`, { exitCode: EXIT.data })
  return reading(path, () => readFileSync(path, 'utf8'))
}

/** What `read` gives. @throws CommandError that names the file, when it fails */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${reasonOf(error)}`, { exitCode: EXIT.failure, cause: error })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown fault'
  if ('code' in error && error.code === 'ENOENT') return 'no such file'
  return error.message.replace(/^[A-Z]+: /, '')
}
