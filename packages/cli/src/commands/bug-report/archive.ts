/** Files with their contents → a `.tar.gz`, in the ustar format that every tar reads. */
import { createReadStream, createWriteStream, renameSync, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

export interface ArchivedFile {
  /** With slashes, at most 250 bytes. */
  readonly path: string
  readonly content: Buffer | FileOnDisk
}

/** What is too large to be held. */
export interface FileOnDisk {
  readonly file: string
  /** In bytes; so much of the file is taken. */
  readonly size: number
}

const BLOCK = 512

/** Writes one file after the other, so that only one is held at a time; the archive is complete or not there. */
export async function writeArchive(target: string, files: AsyncIterable<ArchivedFile>, modified: Date): Promise<void> {
  const unfinished = `${target}.${process.pid}.part`
  try {
    await pipeline(Readable.from(blocks(files, modified)), createGzip(), createWriteStream(unfinished, { mode: 0o600 }))
    renameSync(unfinished, target)
  } finally {
    rmSync(unfinished, { force: true })
  }
}

async function* blocks(files: AsyncIterable<ArchivedFile>, modified: Date): AsyncGenerator<Buffer> {
  for await (const { path, content } of files) {
    const size = 'file' in content ? content.size : content.length
    yield header(path, size, modified)
    if (!('file' in content)) yield content
    else if (size > 0) yield* createReadStream(content.file, { end: size - 1 })
    const rest = size % BLOCK
    if (rest > 0) yield Buffer.alloc(BLOCK - rest)
  }
  yield Buffer.alloc(2 * BLOCK)
}

function header(path: string, size: number, modified: Date): Buffer {
  const block = Buffer.alloc(BLOCK)
  const { name, prefix } = splitPath(path)
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0')
  block.write(name, 0)
  block.write(octal(0o600, 8), 100)
  block.write(octal(0, 8), 108)
  block.write(octal(0, 8), 116)
  block.write(octal(size, 12), 124)
  block.write(octal(Math.floor(modified.getTime() / 1000), 12), 136)
  // The sum is taken with spaces in its own place.
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\u000000', 257)
  block.write(prefix, 345)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 7)}\u0000 `, 148)
  return block
}

/** A name of 100 bytes, and a prefix of 155 that ends at a slash. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' }
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)]
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { name, prefix }
  }
  return { name: Buffer.from(path).subarray(-100).toString('utf8'), prefix: '' }
}
