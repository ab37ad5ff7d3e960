/**
 * Connections to a pod's own loopback address. A socket belongs to the network namespace in which it was made, so a small helper in the
 * pod's namespace makes it and hands it over; the helper ends when it has had nothing to do for a while.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { enterSandbox } from './sandbox.ts'

const IDLE_MS = 15_000
const CONNECT_MS = 10_000

/** Connects as asked over IPC and sends the socket back. */
const HELPER = `
const net = require('node:net')
process.on('disconnect', () => process.exit(0))
process.on('message', ({ id, port }) => {
  const socket = net.connect({ host: '127.0.0.1', port }, () => {
    socket.removeListener('error', fail)
    process.send({ id }, socket)
  })
  const fail = (error) => process.send({ id, error: error.code || error.message })
  socket.pause()
  socket.on('error', fail)
})
`

interface Helper {
  readonly child: ChildProcess
  readonly waiting: Map<number, { resolve: (socket: Socket) => void; reject: (error: Error) => void; port: number }>
  idle: NodeJS.Timeout | undefined
}

export class PortForwarder {
  readonly #nodeBinary: string
  readonly #helpers = new Map<string, Helper>()
  #next = 0

  constructor(nodeBinary: string) {
    this.#nodeBinary = nodeBinary
  }

  connect(pod: string, sandbox: string | undefined, port: number): Promise<Duplex> {
    if (sandbox === undefined) return connectHere(port)
    const helper = this.#helpers.get(pod) ?? this.#start(pod, sandbox)
    clearTimeout(helper.idle)
    helper.idle = setTimeout(() => this.#stop(pod, helper), IDLE_MS)
    helper.idle.unref()
    const id = this.#next++
    return new Promise<Socket>((resolve, reject) => {
      const deadline = setTimeout(() => {
        helper.waiting.delete(id)
        reject(new Error(`no connection to port ${port} in the pod within ${CONNECT_MS / 1000} s`))
      }, CONNECT_MS)
      const settled =
        <T>(done: (value: T) => void) =>
        (value: T) => {
          clearTimeout(deadline)
          helper.waiting.delete(id)
          done(value)
        }
      helper.waiting.set(id, { resolve: settled(resolve), reject: settled(reject), port })
      helper.child.send({ id, port }, (error) => {
        if (error) helper.waiting.get(id)?.reject(error)
      })
    })
  }

  close(): void {
    for (const [pod, helper] of this.#helpers) this.#stop(pod, helper)
  }

  #start(pod: string, sandbox: string): Helper {
    const child = spawn('nsenter', [...enterSandbox(sandbox), '--', this.#nodeBinary, '--max-old-space-size=16', '-e', HELPER], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const helper: Helper = { child, waiting: new Map(), idle: undefined }
    this.#helpers.set(pod, helper)
    child.on('message', (message: unknown, socket: unknown) => {
      if (typeof message !== 'object' || message === null || !('id' in message) || typeof message.id !== 'number') return
      const waiting = helper.waiting.get(message.id)
      if (socket instanceof Socket) {
        if (waiting) waiting.resolve(socket)
        else socket.destroy()
      } else
        waiting?.reject(
          new Error(`cannot connect to port ${waiting.port} inside the pod: ${'error' in message ? String(message.error) : 'no socket'}`),
        )
    })
    const end = (why: string) => {
      if (this.#helpers.get(pod) === helper) this.#helpers.delete(pod)
      clearTimeout(helper.idle)
      for (const { reject } of helper.waiting.values()) reject(new Error(why))
    }
    child.on('error', (error) => end(`nsenter cannot be run: ${error.message}`))
    child.on('exit', () => end('the pod ended'))
    return helper
  }

  #stop(pod: string, helper: Helper): void {
    if (helper.waiting.size > 0) return
    this.#helpers.delete(pod)
    clearTimeout(helper.idle)
    if (helper.child.connected) helper.child.disconnect()
  }
}

function connectHere(port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => resolve(socket))
    socket.once('error', reject)
  })
}
