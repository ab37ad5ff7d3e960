/** Text of files that users name, bounded. */
import { readFileSync, readSync, statSync } from 'node:fs'
import { isatty } from 'node:tty'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

const LARGEST_BYTES = 64 * 1024 * 1024

/** The text of a file; `-` is the standard input. @throws CommandError when it cannot be read or is too large */
export function readText(path: string): string {
  return readBytes(path, LARGEST_BYTES).toString('utf8')
}

/** What is in a file of at most `largest` bytes; `-` is the standard input. @throws CommandError when it cannot be read or is too large */
export function readBytes(path: string, largest: number): Buffer {
  if (path === '-') return reading('standard input', () => interruptible(() => readStandardInput(largest)))
  const { size } = reading(path, () => statSync(path))
  if (size > largest) throw new CommandError(`${path} is larger than ${largest / 1024 / 1024} MiB`, { exitCode: EXIT.data })
  return reading(path, () => readFileSync(path))
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A read of a terminal waits for the user, and nothing of this program runs meanwhile: Ctrl-C must end it without our help. */
function interruptible<T>(read: () => T): T {
  const held = SIGNALS.map((signal) => [signal, process.rawListeners(signal)] as const)
  for (const signal of SIGNALS) process.removeAllListeners(signal)
  try {
    return read()
  } finally {
    for (const [signal, listeners] of held) for (const listener of listeners) process.on(signal, asListener(listener))
  }
}

/** What was listening to a signal is a listener of signals. */
const asListener = (listener: unknown) => listener as NodeJS.SignalsListener

const CHUNK_BYTES = 64 * 1024
const AGAIN_MS = 5

function readStandardInput(largest: number): Buffer {
  if (isatty(0)) process.stderr.write('reading from the terminal; Ctrl-D ends the input\n')
  const chunks: Buffer[] = []
  for (let size = 0; size <= largest; ) {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    const count = readSome(chunk)
    if (count === 0) return Buffer.concat(chunks)
    size += count
    chunks.push(chunk.subarray(0, count))
  }
  throw new Error(`it is larger than ${largest / 1024 / 1024} MiB`)
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
