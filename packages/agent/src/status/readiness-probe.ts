/** The probe of a workload outside Kubernetes, from `readinessProbe` of its ProxyConfig (a WorkloadGroup's `probe`). */
import { execFile } from 'node:child_process'
import { isObject, SettingError } from '../settings/environment.ts'
import { type AppProbe, askApplication, type ProbeTarget, parseAppProbe } from './app-probes.ts'

export interface ReadinessProbe {
  readonly initialDelayMs: number
  readonly periodMs: number
  /** Successes in a row that make the workload healthy. */
  readonly successes: number
  /** Failures in a row that make it unhealthy. */
  readonly failures: number
  /** What is wrong, in a sentence; nothing when all is well. `target` is where the workload is, unless the probe names a host. */
  ask(target: ProbeTarget): Promise<string | undefined>
}

const USER_AGENT = 'istio-probe/1.0'
const WHERE = 'readinessProbe'
const MOST_WORDS = 1000
const LONGEST_SECONDS = 24 * 3600

/**
 * Reads the probe; nothing when there is none.
 *
 * @throws SettingError saying what is wrong with it
 */
export function parseReadinessProbe(value: unknown): ReadinessProbe | undefined {
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) throw new SettingError(`${WHERE} is not an object`)
  return {
    initialDelayMs: number(value, 'initialDelaySeconds', 0) * 1000,
    periodMs: number(value, 'periodSeconds', 10) * 1000,
    successes: number(value, 'successThreshold', 1),
    failures: number(value, 'failureThreshold', 3),
    ask: isObject(value.exec) ? askCommand(value.exec, number(value, 'timeoutSeconds', 1) * 1000) : askAt(value),
  }
}

/** Zero is what an unset field reads as; a wait may be none. */
function number(probe: Record<string, unknown>, field: string, fallback: number): number {
  const found = probe[field] ?? 0
  if (typeof found !== 'number' || !Number.isInteger(found) || found < 0 || found > LONGEST_SECONDS)
    throw new SettingError(`${WHERE}.${field} is ${JSON.stringify(found)}; expected a number from 0 to ${LONGEST_SECONDS}`)
  return found || fallback
}

function askAt(value: Record<string, unknown>): ReadinessProbe['ask'] {
  const probe = parseAppProbe(value, WHERE)
  const host = [value.httpGet, value.tcpSocket].map((target) => (isObject(target) ? target.host : undefined)).find(Boolean)
  const elsewhere = typeof host === 'string' ? { host } : undefined
  return async (target) => {
    const at = elsewhere ?? target
    const where = `${probe.kind} ${at.host}:${probe.port}${probe.kind === 'http' ? probe.path : ''}`
    try {
      const status = await askApplication(probe, at, USER_AGENT)
      return status >= 200 && status < 400 ? undefined : `${where} answers ${answerOf(probe, status)}`
    } catch (error) {
      return `${where}: ${textOf(error)}`
    }
  }
}

const answerOf = (probe: AppProbe, status: number): string => (probe.kind === 'grpc' ? 'that it is not serving' : `with status ${status}`)

function askCommand(exec: Record<string, unknown>, timeout: number): ReadinessProbe['ask'] {
  const words = Array.isArray(exec.command) ? exec.command.filter((word): word is string => typeof word === 'string') : []
  const [program, ...parameters] = words
  if (!program || words.length > MOST_WORDS) throw new SettingError(`${WHERE}.exec.command has no words, or more than ${MOST_WORDS}`)
  return () =>
    new Promise((resolve) => {
      execFile(program, parameters, { timeout, killSignal: 'SIGKILL', maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
        if (!error) return resolve(undefined)
        const output = `${stderr}${stdout}`.trim()
        resolve(`${program}: ${error.killed ? `no end within ${timeout} ms` : output || error.message}`)
      })
    })
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message || String(error) : String(error))
