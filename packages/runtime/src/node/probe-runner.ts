/** Looks at one container again and again, and tells when it counts as passed or failed. */
import type { Container, Handler, Probe } from '../kube/pod.ts'
import { type CheckResult, checkGrpc, checkHttp, checkTcp, portNumber } from './network-check.ts'

export interface ProbeTarget {
  readonly container: Container
  readonly address: string
  readonly exec: (command: readonly string[], timeout: number) => Promise<{ exitCode: number; output: string; timedOut: boolean }>
}

export interface ProbeListener {
  /** The thresholds were reached: the container passes or does not pass from now on. */
  readonly outcome: (ok: boolean, message: string) => void
  /** One look failed; called each time. */
  readonly failure: (message: string) => void
}

/** One look, by whatever means the handler names. `timeout` in milliseconds. */
export async function check(handler: Handler, target: ProbeTarget, timeout: number): Promise<CheckResult> {
  const { httpGet, tcpSocket, grpc, exec } = handler
  if (httpGet) return checkHttp(httpGet, target.container, target.address, timeout)
  if (tcpSocket) {
    const port = portNumber(tcpSocket.port, target.container)
    if (port === undefined) return { ok: false, message: `the container has no port named "${tcpSocket.port}"` }
    return checkTcp(port, tcpSocket.host || target.address, timeout)
  }
  if (grpc) return checkGrpc(grpc.port, grpc.service ?? '', target.address, timeout)
  if (!exec) return { ok: true, message: '' }
  const { exitCode, output, timedOut } = await target.exec(exec.command ?? [], timeout)
  if (timedOut) return { ok: false, message: `command timed out after ${timeout / 1000} s` }
  return exitCode === 0 ? { ok: true, message: '' } : { ok: false, message: output.trim() || `command exited with code ${exitCode}` }
}

/** Runs until stopped. */
export class ProbeRunner {
  readonly #probe: Probe
  readonly #target: ProbeTarget
  readonly #listener: ProbeListener
  #timer: NodeJS.Timeout | undefined
  #inARow = 0
  #last: boolean | undefined
  #stopped = false

  /** `elapsed`: milliseconds that the container has been running already. */
  constructor(probe: Probe, target: ProbeTarget, listener: ProbeListener, elapsed: number) {
    this.#probe = probe
    this.#target = target
    this.#listener = listener
    this.#schedule(Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - elapsed))
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(milliseconds: number): void {
    this.#timer = setTimeout(() => void this.#look(), milliseconds)
  }

  async #look(): Promise<void> {
    const result = await check(this.#probe, this.#target, (this.#probe.timeoutSeconds || 1) * 1000).catch((error: unknown) => ({
      ok: false,
      message: String(error),
    }))
    if (this.#stopped) return
    this.#inARow = result.ok === this.#last ? this.#inARow + 1 : 1
    this.#last = result.ok
    if (!result.ok) this.#listener.failure(result.message)
    const threshold = result.ok ? (this.#probe.successThreshold ?? 1) : (this.#probe.failureThreshold ?? 3)
    if (this.#inARow >= threshold) this.#listener.outcome(result.ok, result.message)
    if (!this.#stopped) this.#schedule((this.#probe.periodSeconds || 10) * 1000)
  }
}
