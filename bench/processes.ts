/** Starts the processes of a benchmark, and ends them all with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'

export interface Started {
  readonly pid: number
  /** The first line of its standard output. */
  readonly firstLine: Promise<string>
}

export class Processes implements AsyncDisposable {
  readonly #children: ChildProcess[] = []

  /** Starts a program; its errors go to ours, with a mark before each line. */
  start(name: string, command: readonly [string, ...string[]], env: Readonly<Record<string, string>> = {}): Started {
    const [program, ...args] = command
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.push(child)
    child.stderr.on('data', (data: Buffer) => {
      for (const line of data.toString().split('\n'))
        if (/\t(warn|error|fatal)\t|Error/.test(line)) process.stderr.write(`[${name}] ${line}\n`)
    })
    let output = ''
    const firstLine = new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString()
        const end = output.indexOf('\n')
        if (end >= 0) resolve(output.slice(0, end))
      })
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${name} ended with ${code ?? signal} before it was ready`)))
    })
    firstLine.catch(() => undefined)
    return { pid: child.pid ?? 0, firstLine }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = new Promise((resolve) => child.once('exit', resolve))
      const late = setTimeout(() => child.kill('SIGKILL'), 5000)
      child.kill('SIGTERM')
      await ended
      clearTimeout(late)
    }
  }
}

/** Runs a program to its end with its output shown. @throws Error when it fails */
export function run(command: readonly [string, ...string[]], options: { readonly cwd?: string } = {}): Promise<void> {
  const [program, ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options })
    child.once('error', reject)
    child.once('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code ?? signal}`))))
  })
}

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address ? address.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
