/** Text of files that users name, bounded. */
import { readFileSync, readSync, statSync } from 'node:fs'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

const LARGEST_BYTES = 64 * 1024 * 1024

/** The text of a file; `-` is the standard input. @throws CommandError when it cannot be read or is too large */
export function readText(path: string): string {
  if (path === '-') return reading('standard input', readStandardInput)
  const { size } = reading(path, () => statSync(path))
  if (size > LARGEST_BYTES) throw new CommandError(`${path} is larger than ${LARGEST_BYTES / 1024 / 1024} MiB`, { exitCode: EXIT.data })
  return reading(path, () => readFileSync(path, 'utf8'))
}

const CHUNK_BYTES = 64 * 1024
const AGAIN_MS = 5

function readStandardInput(): string {
  const chunks: Buffer[] = []
  for (let size = 0; size <= LARGEST_BYTES; ) {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    const count = readSome(chunk)
    if (count === 0) return Buffer.concat(chunks).toString('utf8')
    size += count
    chunks.push(chunk.subarray(0, count))
  }
  throw new Error(`it is larger than ${LARGEST_BYTES / 1024 / 1024} MiB`)
}

/** A pipe that does not block has nothing now and something later: whoever writes to it may be slow. */
function readSome(chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(0, chunk)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS)
    }
  }
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
