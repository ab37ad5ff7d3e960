/** Dumps that users saved, which may be large, and compressed. */
import { constants, gunzipSync } from 'node:zlib'
import { CommandError } from '../shell/exit-codes.ts'
import { readBytes } from './read-text.ts'

const LARGEST_BYTES = 512 * 1024 * 1024

/** The bytes of a file, or of the standard input for `-`; what is gzip is unpacked. @throws CommandError when it cannot be read or is too large */
export function readDumpFile(path: string): Buffer {
  const bytes = readBytes(path, LARGEST_BYTES)
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? unpacked(bytes, path === '-' ? 'standard input' : path) : bytes
}

function unpacked(bytes: Buffer, origin: string): Buffer {
  try {
    // An archive that ends too early gives what it has: dumps are read as far as they go.
    return gunzipSync(bytes, { maxOutputLength: LARGEST_BYTES, finishFlush: constants.Z_SYNC_FLUSH })
  } catch (cause) {
    const tooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE'
    const reason = tooLarge ? `it is larger than ${LARGEST_BYTES / 1024 / 1024} MiB unpacked` : 'it is no gzip although it begins as such'
    throw new CommandError(`cannot read ${origin}: ${reason}`, { cause })
  }
}
