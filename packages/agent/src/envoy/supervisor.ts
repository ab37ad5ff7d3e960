/**
 * Keeps Envoy running: starts it, passes its log through, restarts it with back-off when it dies, ends it when told.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { logger } from '@lateen/base'
import { type Backoff, exponentialBackoff } from '../certs/backoff.ts'

const log = logger('envoy')

export interface SupervisorOptions {
  readonly binary: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Where Envoy's process id is kept, so that one left behind by an agent that was killed is found and ended. */
  readonly pidFile: string
  /** A line of Envoy's own output. */
  readonly onLine: (line: string) => void
  readonly restart?: RestartPolicy
}

export interface RestartPolicy {
  readonly firstMs: number
  readonly maxMs: number
  /** Restarts in a row, after which it is given up. */
  readonly limit: number
  /** A run this long counts as a success; restarts are counted from there anew. */
  readonly stableMs: number
}

const DEFAULT_RESTART: RestartPolicy = { firstMs: 200, maxMs: 10_000, limit: 10, stableMs: 60_000 }
/** How long Envoy may take to end by itself. */
const STOP_MS = 5000
const MAX_LINE = 16 * 1024

export class EnvoySupervisor {
  readonly #options: SupervisorOptions
  readonly #policy: RestartPolicy
  readonly #backoff: Backoff
  readonly #ended = Promise.withResolvers<number>()
  #child: ChildProcess | undefined
  #startedAt = 0
  #restarts = 0
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#policy = options.restart ?? DEFAULT_RESTART
    this.#backoff = exponentialBackoff(this.#policy.firstMs, this.#policy.maxMs)
  }

  /** Fulfilled with an exit code when Envoy has ended for good: 0 after `stop`, its own code when restarts were in vain. */
  get ended(): Promise<number> {
    return this.#ended.promise
  }

  /** Envoy's process id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** How often Envoy was started again. */
  get restarts(): number {
    return this.#restarts
  }

  start(): void {
    endLeftOver(this.#options)
    this.#spawn()
  }

  /** Ends Envoy now: SIGTERM, and SIGKILL when that does not help. Fulfilled when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (!child) {
      this.#ended.resolve(0)
      return
    }
    child.kill('SIGTERM')
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await this.ended
    clearTimeout(kill)
  }

  #spawn(): void {
    const { binary, args, env, cwd, pidFile } = this.#options
    this.#startedAt = Date.now()
    // Access logs go to /dev/stdout, which Envoy opens anew: that fails on a socket, and a child's piped stdout is one.
    const child = spawn(binary, [...args], { cwd, env, stdio: ['ignore', 'inherit', 'pipe'] })
    this.#child = child
    passLines(child.stderr, this.#options.onLine)
    child.on('error', (error) => log.error(`cannot start ${binary}: ${error.message}`))
    // "close" and not "exit": all output has been passed on by then. It also follows an "error".
    child.on('close', (code, signal) => this.#gone(code, signal))
    if (child.pid !== undefined) {
      writeFileSync(pidFile, `${child.pid}\n`)
      log.info(`started Envoy, process ${child.pid}`)
    }
  }

  #gone(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined
    rmSync(this.#options.pidFile, { force: true })
    if (this.#stopping) {
      log.info('Envoy has ended')
      this.#ended.resolve(0)
      return
    }
    const how = signal ? `was ended by ${signal}` : `exited with code ${code}`
    if (Date.now() - this.#startedAt >= this.#policy.stableMs) {
      this.#backoff.reset()
      this.#restarts = 0
    }
    if (this.#restarts === this.#policy.limit) {
      log.error(`Envoy ${how}; ${this.#policy.limit} restarts did not help, giving up`)
      this.#ended.resolve(code || 1)
      return
    }
    this.#restarts++
    const wait = Math.round(this.#backoff.next())
    log.error(`Envoy ${how}; restart ${this.#restarts} of ${this.#policy.limit} in ${wait} ms`)
    this.#timer = setTimeout(() => this.#spawn(), wait)
  }
}

/** Cuts output into lines; by hand, since Node's readline brings a whole line editor into memory. */
function passLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()?.slice(0, MAX_LINE) ?? ''
    for (const line of lines) onLine(line.slice(0, MAX_LINE))
  })
  stream.on('end', () => rest !== '' && onLine(rest))
}

/**
 * Ends an Envoy that outlived the agent which started it: its listeners share their ports with a new one's, which would then get
 * only a part of the connections. It is recognised by its binary and its configuration file, never by the number alone.
 */
function endLeftOver({ pidFile, binary, args }: SupervisorOptions): void {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8').trim())
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const config = args[args.indexOf('-c') + 1] ?? ''
    const ours = commandLine.includes(config) && [commandLine[0], readlinkSync(`/proc/${pid}/exe`)].includes(binary)
    if (!ours || !Number.isInteger(pid) || pid <= 1) return
    process.kill(pid, 'SIGKILL')
    log.warn(`ended an Envoy that a former agent left behind, process ${pid}`)
  } catch {
    // No file, or no such process: nothing is left behind.
  }
}
