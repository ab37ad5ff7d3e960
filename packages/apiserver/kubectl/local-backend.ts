/** A node agent of the smallest kind: every container is this machine. */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { LogOptions, PodBackend, StreamIo } from '../src/index.ts'

const LINES = ['first line', 'second line', 'third line']

function run(command: string[], io: StreamIo): Promise<{ exitCode: number }> {
  const [file = 'true', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'pipe', signal: io.signal })
    // A command may end before it has read everything.
    child.stdin.on('error', () => undefined)
    if (io.stdin) io.stdin.pipe(child.stdin)
    else child.stdin.end()
    if (io.stdout) child.stdout.pipe(io.stdout, { end: false })
    if (io.stderr) child.stderr.pipe(io.stderr, { end: false })
    io.resize?.((columns, rows) => io.stdout?.write(`size ${columns}x${rows}\n`))
    child.on('error', (error) => reject(Object.assign(error, { code: 500 })))
    child.on('close', (code) => resolve({ exitCode: code ?? 137 }))
  })
}

export const localBackend: PodBackend = {
  async logs(_namespace: string, pod: string, container: string, options: LogOptions, out: Writable, signal: AbortSignal) {
    if (container === 'silent') throw Object.assign(new Error(`container "silent" in pod "${pod}" is waiting to start`), { code: 400 })
    const lines = options.tailLines === undefined ? LINES : LINES.slice(-options.tailLines)
    for (const line of lines) out.write(`${line}\n`)
    if (!options.follow) return
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  },
  exec: (_namespace, _pod, _container, command, io) => run(command, io),
  attach: (_namespace, _pod, _container, io) => run(['echo', 'attached'], io),
  async portForward(_namespace: string, _pod: string, port: number): Promise<Duplex> {
    const socket = connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve())
      socket.once('error', reject)
    })
    return socket
  },
}
