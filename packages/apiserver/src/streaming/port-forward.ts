/** port-forward: pairs of SPDY streams (data and error) joined to connections into the pod. */
import type { Duplex } from 'node:stream'
import type { SpdyConnection, SpdyHandlers, SpdyStream } from '@lateen/base/spdy'
import { backendError } from './logs.ts'

interface Pair {
  data?: SpdyStream
  error?: SpdyStream
  started: boolean
}

/**
 * @param open makes the SPDY connection on whatever carries it
 * @param connect opens a connection to a port of the pod
 */
export function forwardStreams(open: (handlers: SpdyHandlers) => SpdyConnection, connect: (port: number) => Promise<Duplex>): void {
  const pairs = new Map<string, Pair>()
  const connections = new Set<Duplex>()
  open({
    stream: (stream) => {
      const port = Number(stream.headers.get('port'))
      const type = stream.headers.get('streamtype')
      if (!Number.isInteger(port) || port < 1 || port > 65535 || (type !== 'data' && type !== 'error')) {
        stream.destroy(new Error('the stream names no port or type'))
        return
      }
      stream.reply()
      // Clients of old number their pairs by stream ids: error first, data two later.
      const id = stream.headers.get('requestid') ?? String(type === 'error' ? stream.id : stream.id - 2)
      const pair = pairs.get(id) ?? { started: false }
      pairs.set(id, pair)
      pair[type] = stream
      if (pair.data && pair.error && !pair.started) {
        pair.started = true
        const done = () => pairs.delete(id)
        void join(port, pair.data, pair.error, connect, connections).then(done, done)
      }
    },
    close: () => {
      for (const connection of connections) connection.destroy()
    },
  })
}

async function join(
  port: number,
  data: SpdyStream,
  error: SpdyStream,
  connect: (port: number) => Promise<Duplex>,
  connections: Set<Duplex>,
): Promise<void> {
  let target: Duplex
  try {
    target = await connect(port)
  } catch (problem) {
    error.end(`an error occurred forwarding ${port}: ${backendError(problem).message}`)
    data.end()
    return
  }
  connections.add(target)
  await new Promise<void>((resolve) => {
    const finish = () => {
      connections.delete(target)
      target.destroy()
      if (!error.writableEnded) error.end()
      resolve()
    }
    target.on('error', (problem) => {
      if (!error.writableEnded) error.end(`an error occurred forwarding ${port}: ${problem.message}`)
      if (!data.writableEnded) data.end()
    })
    target.on('close', finish)
    data.on('close', finish)
    data.pipe(target)
    target.pipe(data)
    target.on('end', () => {
      if (data.closedByPeer) finish()
    })
  })
}
