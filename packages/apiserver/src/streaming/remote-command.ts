/** What exec and attach have in common, whichever protocol carries them. */
import { PassThrough, type Readable, type Writable } from 'node:stream'
import type { PodBackend, StreamIo } from '../options.ts'
import { now, type Obj } from '../values.ts'
import { backendError } from './logs.ts'

export interface RemoteRequest {
  readonly container: string
  /** Absent for attach. */
  readonly command: string[] | undefined
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

export interface RemoteStreams {
  readonly stdin: Readable | undefined
  readonly stdout: Writable | undefined
  readonly stderr: Writable | undefined
  readonly sizes: TerminalSizes
  readonly signal: AbortSignal
}

/** Runs the command on the streams; resolves with the Status that ends the connection. */
export type RemoteStart = (streams: RemoteStreams) => Promise<Obj>

/** Sizes of a terminal as they are told; a late listener hears the last one. */
export class TerminalSizes {
  #last: [number, number] | undefined
  #listener: ((columns: number, rows: number) => void) | undefined
  #partial = ''

  /** Takes JSON such as `{"Width":80,"Height":24}`, possibly in pieces. */
  accept(text: string): void {
    this.#partial = (this.#partial + text).slice(-1024)
    for (let end = this.#partial.indexOf('}'); end >= 0; end = this.#partial.indexOf('}')) {
      const width = /"Width":\s*(\d{1,5})/i.exec(this.#partial.slice(0, end))
      const height = /"Height":\s*(\d{1,5})/i.exec(this.#partial.slice(0, end))
      this.#partial = this.#partial.slice(end + 1)
      if (width && height) this.#tell(Number(width[1]), Number(height[1]))
    }
  }

  #tell(columns: number, rows: number): void {
    this.#last = [columns, rows]
    this.#listener?.(columns, rows)
  }

  listen(listener: (columns: number, rows: number) => void): void {
    this.#listener = listener
    if (this.#last) listener(...this.#last)
  }
}

const SUCCESS: Obj = { metadata: {}, status: 'Success' }

export function runRemote(backend: PodBackend, namespace: string, pod: string, request: RemoteRequest): RemoteStart {
  return async ({ stdin, stdout, stderr, sizes, signal }) => {
    const io: StreamIo = {
      ...(stdin ? { stdin } : {}),
      ...(stdout ? { stdout } : {}),
      ...(stderr ? { stderr } : {}),
      tty: request.tty,
      ...(request.tty ? { resize: (callback: (columns: number, rows: number) => void) => sizes.listen(callback) } : {}),
      signal,
    }
    try {
      const { exitCode } =
        request.command === undefined
          ? await backend.attach(namespace, pod, request.container, io)
          : await backend.exec(namespace, pod, request.container, request.command, io)
      if (exitCode === 0) return SUCCESS
      return {
        metadata: {},
        status: 'Failure',
        message: `command terminated with non-zero exit code: error executing command [${(request.command ?? []).join(' ')}], exit code ${exitCode}`,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
      }
    } catch (error) {
      return { ...backendError(error).toStatus(), metadata: { creationTimestamp: now() } }
    }
  }
}

/** A writable whose end can be waited for, in front of a stream that must not be ended by the backend itself. */
export function buffered(target: Writable): { stream: Writable; drained: () => Promise<void> } {
  const stream = new PassThrough()
  stream.pipe(target, { end: false })
  // A backend may write once more after it said that it is done.
  stream.on('error', () => undefined)
  target.on('error', () => undefined)
  return {
    stream,
    drained: async () => {
      if (!stream.writableEnded) stream.end()
      if (!stream.readableEnded) await new Promise<void>((resolve) => stream.once('end', resolve))
    },
  }
}
