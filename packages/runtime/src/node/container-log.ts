/**
 * A container's output: the command writes to a plain file by itself (so it never waits for this process); this keeps the file small and
 * remembers when which part was written.
 *
 * When the file passes the limit it is copied to `<file>.1` and emptied; the command appends, so it goes on at the start.
 */
import {
  closeSync,
  existsSync,
  type FSWatcher,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

export interface LogOptions {
  readonly follow: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
  /** RFC 3339. */
  readonly sinceTime?: string
  readonly timestamps: boolean
  readonly previous: boolean
  readonly limitBytes?: number
}

const LIMIT = 10 << 20
/** Moments kept a file; when there are more, every second one is dropped. */
const MOST_MOMENTS = 4096
const CHUNK = 64 << 10

interface Moment {
  /** Everything before this offset was written no later than `time`. */
  readonly offset: number
  readonly time: number
}

export class ContainerLog {
  readonly path: string
  readonly #limit: number
  #moments: Moment[] = []
  #rotated: Moment[] = []
  #watcher: FSWatcher | undefined
  #open = true
  readonly #changed = new Set<() => void>()

  constructor(path: string, limit = LIMIT) {
    this.path = path
    this.#limit = limit
    closeSync(openSync(path, 'a', 0o600))
    // Of what an earlier life of this program did not see, only the end's time is known.
    const { size, mtimeMs } = statSync(path)
    this.#moments.push({ offset: size, time: size === 0 ? Date.now() : mtimeMs })
    this.#watcher = watch(path, () => this.#note())
    this.#watcher.unref()
    this.#watcher.on('error', () => undefined)
  }

  /** No more output will come: followers end once they have read everything. */
  end(): void {
    this.#note()
    this.#open = false
    this.#watcher?.close()
    for (const wake of this.#changed) wake()
  }

  remove(): void {
    this.end()
    rmSync(this.path, { force: true })
    rmSync(`${this.path}.1`, { force: true })
  }

  /** The last bytes of the output as text, at most `bytes` (termination messages). */
  tail(bytes: number): string {
    return tailOf(this.path, bytes)
  }

  /** Writes the wanted part to `out`; with `follow` until the container has ended or `signal` fires. */
  async write(options: LogOptions, out: Writable, signal: AbortSignal): Promise<void> {
    const output = new LineOutput(out, options)
    const lines = [...(await this.#linesOf(`${this.path}.1`, this.#rotated)), ...(await this.#linesOf(this.path, this.#moments))]
    let wanted = lines.filter((line) => line.time >= output.since)
    if (options.tailLines !== undefined) wanted = options.tailLines === 0 ? [] : wanted.slice(-options.tailLines)
    for (const line of wanted) if (!(await output.line(line.text, line.time)) || signal.aborted) return
    await output.flush()
    if (options.follow) await this.#follow(output, signal)
  }

  async #follow(output: LineOutput, signal: AbortSignal): Promise<void> {
    let offset = sizeOf(this.path)
    let rest = ''
    while (!signal.aborted) {
      const size = sizeOf(this.path)
      if (size < offset) offset = 0
      if (size > offset) {
        const text = rest + readPart(this.path, offset, Math.min(CHUNK, size - offset))
        offset += Math.min(CHUNK, size - offset)
        const lines = text.split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (!(await output.line(line, Date.now()))) return
        await output.flush()
        continue
      }
      if (!this.#open) break
      await this.#change(signal)
    }
    if (rest !== '') await output.line(rest, Date.now())
    await output.flush()
  }

  /** The next change of the file; looks again by itself after a second, since a watch may miss one. */
  async #change(signal: AbortSignal): Promise<void> {
    const wait = new AbortController()
    const wake = () => wait.abort()
    this.#changed.add(wake)
    signal.addEventListener('abort', wake)
    await delay(1000, undefined, { signal: wait.signal }).catch(() => undefined)
    signal.removeEventListener('abort', wake)
    this.#changed.delete(wake)
  }

  async #linesOf(path: string, moments: readonly Moment[]): Promise<{ text: string; time: number }[]> {
    if (!existsSync(path)) return []
    const file = await open(path)
    try {
      const { size } = await file.stat()
      const content = Buffer.alloc(Math.min(size, this.#limit * 2))
      const { bytesRead } = await file.read(content, 0, content.length, Math.max(0, size - content.length))
      const lines: { text: string; time: number }[] = []
      let at = 0
      let moment = 0
      while (at < bytesRead) {
        const end = content.indexOf(0x0a, at)
        const stop = end < 0 || end >= bytesRead ? bytesRead : end
        while (moment < moments.length - 1 && (moments[moment]?.offset ?? 0) <= at) moment++
        lines.push({ text: content.toString('utf8', at, stop), time: moments[moment]?.time ?? Date.now() })
        at = stop + 1
      }
      return lines
    } finally {
      await file.close()
    }
  }

  #note(): void {
    if (!this.#open) return
    const size = sizeOf(this.path)
    const last = this.#moments.at(-1)
    if (last && size < last.offset) this.#moments = []
    if (!last || size !== last.offset) this.#moments.push({ offset: size, time: Date.now() })
    if (this.#moments.length > MOST_MOMENTS) this.#moments = this.#moments.filter((_, index) => index % 2 === 1)
    if (size > this.#limit) this.#rotate()
    for (const wake of this.#changed) wake()
  }

  /** Copying and emptying happen without a pause in between, so that next to nothing can be written meanwhile and be lost. */
  #rotate(): void {
    const from = openSync(this.path, 'r+')
    const to = openSync(`${this.path}.new`, 'w', 0o600)
    try {
      const buffer = Buffer.alloc(1 << 20)
      let at = 0
      for (let count = readSync(from, buffer, 0, buffer.length, at); count > 0; count = readSync(from, buffer, 0, buffer.length, at)) {
        writeSync(to, buffer, 0, count)
        at += count
        if (at > this.#limit * 4 && at >= fstatSync(from).size) break
      }
      ftruncateSync(from, 0)
    } finally {
      closeSync(from)
      closeSync(to)
    }
    renameSync(`${this.path}.new`, `${this.path}.1`)
    this.#rotated = this.#moments
    this.#moments = []
  }
}

/** Writes lines with the wishes of a reader: since when, with times, how many bytes at most. */
class LineOutput {
  readonly since: number
  readonly #out: Writable
  readonly #timestamps: boolean
  readonly #waiting: Buffer[] = []
  #size = 0
  #left: number

  constructor(out: Writable, options: LogOptions) {
    const bySeconds = options.sinceSeconds === undefined ? 0 : Date.now() - options.sinceSeconds * 1000
    const byTime = options.sinceTime === undefined ? 0 : Date.parse(options.sinceTime) || 0
    this.since = Math.max(bySeconds, byTime)
    this.#out = out
    this.#timestamps = options.timestamps
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY
  }

  /** False when no more is wanted. */
  async line(text: string, time: number): Promise<boolean> {
    let bytes = Buffer.from(`${this.#timestamps ? `${new Date(time).toISOString()} ` : ''}${text}\n`)
    if (bytes.length > this.#left) bytes = bytes.subarray(0, this.#left)
    this.#left -= bytes.length
    this.#waiting.push(bytes)
    this.#size += bytes.length
    if (this.#size >= CHUNK || this.#left <= 0) await this.flush()
    return this.#left > 0 && !this.#out.destroyed
  }

  /** Resolves when everything has been taken. */
  async flush(): Promise<void> {
    if (this.#size === 0 || this.#out.destroyed) return
    const chunk = Buffer.concat(this.#waiting.splice(0))
    this.#size = 0
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#out.removeListener('close', done)
        resolve()
      }
      this.#out.once('close', done)
      this.#out.write(chunk, done)
    })
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

function readPart(path: string, offset: number, length: number): string {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(length)
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, length, offset))
  } finally {
    closeSync(file)
  }
}

/** The last bytes of a file as text; empty when there is no such file. */
export function tailOf(path: string, bytes: number): string {
  try {
    const size = sizeOf(path)
    return size === 0 ? '' : readPart(path, Math.max(0, size - bytes), Math.min(bytes, size))
  } catch {
    return ''
  }
}
