/** exec and attach over SPDY: one stream for each of error, stdin, stdout, stderr, resize. */
import type { Duplex } from 'node:stream'
import { SpdyConnection, type SpdyStream } from '@lateen/base/spdy'
import { str } from '../values.ts'
import { buffered, type RemoteRequest, type RemoteStart, TerminalSizes } from './remote-command.ts'

const OPEN_TIMEOUT = 30_000

export function spdyRemote(socket: Duplex, head: Buffer, request: RemoteRequest, version: string, start: RemoteStart): void {
  const wanted = [
    'error',
    ...(request.stdin ? ['stdin'] : []),
    ...(request.stdout ? ['stdout'] : []),
    ...(request.stderr ? ['stderr'] : []),
  ]
  // The first protocol versions know no terminal sizes.
  if (request.tty && !['channel.k8s.io', 'v2.channel.k8s.io'].includes(version)) wanted.push('resize')
  const streams = new Map<string, SpdyStream>()
  const abort = new AbortController()
  let started = false
  const connection = new SpdyConnection(socket, head, {
    stream: (stream) => {
      stream.reply()
      streams.set(stream.headers.get('streamtype') ?? '', stream)
      if (!started && wanted.every((name) => streams.has(name))) {
        started = true
        clearTimeout(slow)
        void run()
      }
    },
    close: () => {
      clearTimeout(slow)
      abort.abort()
    },
  })
  const slow = setTimeout(() => connection.close(), OPEN_TIMEOUT)

  const run = async () => {
    const sizes = new TerminalSizes()
    streams.get('resize')?.on('data', (chunk: Buffer) => sizes.accept(chunk.toString()))
    const outputs = ['stdout', 'stderr'].map((name) => {
      const stream = streams.get(name)
      return stream ? { target: stream, ...buffered(stream) } : undefined
    })
    const status = await start({
      stdin: streams.get('stdin'),
      stdout: outputs[0]?.stream,
      stderr: outputs[1]?.stream,
      sizes,
      signal: abort.signal,
    })
    for (const output of outputs) {
      await output?.drained()
      output?.target.end()
    }
    const error = streams.get('error')
    const failed = status['status'] !== 'Success'
    const text = version === 'v4.channel.k8s.io' ? JSON.stringify(status) : failed ? str(status['message']) : ''
    error?.end(text, () => setTimeout(() => connection.end(), 50))
  }
}
