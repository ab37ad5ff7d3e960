/** exec and attach over WebSocket: one channel byte before each message. */
import { PassThrough, Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import { buffered, type RemoteRequest, type RemoteStart, TerminalSizes } from './remote-command.ts'

export const REMOTE_PROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const ERROR = 3
const RESIZE = 4
/** In v5: the next byte names the channel that ends. */
const CLOSE = 255

function channel(webSocket: WebSocket, number: number): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (webSocket.readyState !== webSocket.OPEN) done()
      else webSocket.send(Buffer.concat([Buffer.from([number]), chunk]), (error) => done(error ?? null))
    },
  })
}

export function webSocketRemote(webSocket: WebSocket, request: RemoteRequest, start: RemoteStart): void {
  const abort = new AbortController()
  const stdin = request.stdin ? new PassThrough() : undefined
  const sizes = new TerminalSizes()
  webSocket.on('close', () => {
    stdin?.end()
    abort.abort()
  })
  webSocket.on('error', () => webSocket.terminate())
  webSocket.on('message', (data: Buffer) => {
    const number = data[0]
    if (number === STDIN && stdin && !stdin.writableEnded) {
      if (!stdin.write(data.subarray(1))) {
        webSocket.pause()
        stdin.once('drain', () => webSocket.resume())
      }
    } else if (number === RESIZE) sizes.accept(data.subarray(1).toString())
    else if (number === CLOSE && data[1] === STDIN) stdin?.end()
  })
  const stdout = request.stdout ? buffered(channel(webSocket, STDOUT)) : undefined
  const stderr = request.stderr ? buffered(channel(webSocket, STDERR)) : undefined
  // Clients expect a first, empty message on each channel they may read.
  for (const number of [...(stdout ? [STDOUT] : []), ...(stderr ? [STDERR] : [])]) webSocket.send(Buffer.from([number]))
  void start({ stdin, stdout: stdout?.stream, stderr: stderr?.stream, sizes, signal: abort.signal }).then(async (status) => {
    await stdout?.drained()
    await stderr?.drained()
    if (webSocket.readyState !== webSocket.OPEN) return
    webSocket.send(Buffer.concat([Buffer.from([ERROR]), Buffer.from(JSON.stringify(status))]), () => webSocket.close(1000))
  })
}
