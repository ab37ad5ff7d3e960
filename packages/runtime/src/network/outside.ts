/**
 * The node's way to the networks of this machine, in userspace: slirp4netns holds a device inside the node and makes its connections as
 * ordinary sockets outside, so that nothing outside changes and no rights are needed.
 *
 * Enters: the node's first process. Leaves: a device with the default route, and a resolver at {@link OUTSIDE_DNS} that asks as the
 * host does. What the host serves on its loopback is out of reach.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { logger } from '@lateen/base'
import { findProgram } from '../find-program.ts'
import { messageOf } from '../kube/api-failure.ts'

/** The device inside the node. */
export const OUTSIDE_DEVICE = 'lateen-out'
/** Addresses for documentation (RFC 5737): no real network has them. */
const CIDR = '192.0.2.0/24'
/** slirp4netns gives its resolver the third address. */
export const OUTSIDE_DNS = '192.0.2.3'
/** The package of Debian that has it. */
export const OUTSIDE_PROGRAM = 'slirp4netns'

const READY_MS = 5_000
/** Waits before the second, third … start in a row; a life longer than `SETTLED_MS` begins anew. */
const AGAIN_MS = [500, 2_000, 10_000, 60_000]
const SETTLED_MS = 60_000
const log = logger('outside')

/** Where slirp4netns is; `undefined` when it is not installed. */
export function outsideProgram(env: NodeJS.ProcessEnv): string | undefined {
  return findProgram(OUTSIDE_PROGRAM, env, ['/usr/local/bin', '/usr/bin', '/bin'])
}

/** The way out of one node, started again when it ends. It ends with this process, whichever way that ends. */
export class Outside {
  readonly #program: string
  readonly #pid: number
  readonly #env: NodeJS.ProcessEnv
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  constructor(program: string, nodePid: number, env: NodeJS.ProcessEnv) {
    this.#program = program
    this.#pid = nodePid
    this.#env = env
  }

  /** Resolves when the device is there. @throws Error with what slirp4netns said */
  async open(): Promise<void> {
    const child = spawn(this.#program, this.#arguments(), {
      cwd: '/',
      env: { PATH: this.#env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    })
    // From here on, so that it is ended also when it is not ready yet.
    this.#child = child
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_048)
    })
    try {
      await ready(child)
    } catch (error) {
      child.kill('SIGKILL')
      throw new Error(`${OUTSIDE_PROGRAM} gives pods no way out: ${lastWords(said) || messageOf(error)}`)
    }
    const opened = Date.now()
    child.once('exit', (code, by) => {
      if (Date.now() - opened > SETTLED_MS) this.#failures = 0
      this.#again(`${by ?? `exit code ${code}`}: ${lastWords(said)}`)
    })
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGTERM')
  }

  #arguments(): string[] {
    return [
      ...['--configure', '--mtu=1500', `--cidr=${CIDR}`, '--disable-host-loopback', '--enable-seccomp'],
      // The end of the pipe is held by this process alone: when it has gone, slirp4netns ends.
      ...['--ready-fd=3', '--exit-fd=4', String(this.#pid), OUTSIDE_DEVICE],
    ]
  }

  #again(how: string): void {
    if (this.#closed) return
    const wait = AGAIN_MS[Math.min(this.#failures++, AGAIN_MS.length - 1)] ?? 0
    log.warn(`${OUTSIDE_PROGRAM} has ended (${how}); pods have no way out of this machine until it runs again, in ${wait} ms`)
    this.#timer = setTimeout(() => {
      this.open().catch((error: unknown) => this.#again(messageOf(error)))
    }, wait)
  }
}

function ready(child: ChildProcess): Promise<void> {
  const pipe = child.stdio[3]
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`not ready within ${READY_MS / 1000} s`)), READY_MS)
    const settle = (done: () => void) => {
      clearTimeout(deadline)
      done()
    }
    child.once('error', (error) => settle(() => reject(error)))
    // Not at its exit: its last words may still be on their way then.
    child.stderr?.once('close', () => settle(() => reject(new Error('it ended at once'))))
    if (isReadable(pipe)) pipe.once('data', () => settle(resolve))
  })
}

const isReadable = (stream: unknown): stream is Readable => typeof stream === 'object' && stream !== null && 'read' in stream
const lastWords = (text: string): string => text.trim().split('\n').slice(-3).join('; ')
