/**
 * `/stats/prometheus`: Envoy's statistics, then the application's, then the agent's own, streamed so that a large answer costs no
 * memory.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { logger } from '@lateen/base'
import type { Peer } from '@lateen/base/call-record'
import { http } from '../envoy/node-http.ts'
import { isObject, jsonObject } from '../settings/environment.ts'
import { CallMetrics } from './call-metrics.ts'

const log = logger('monitor')

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const TIMEOUT_MS = 10_000
const MAX_APP_BYTES = 64 << 20
/** A line is a metric with its labels; longer ones are passed on unchanged. */
const MAX_LINE = 64 * 1024

export interface AppMetrics {
  readonly port: number
  readonly path: string
}

/** ISTIO_PROMETHEUS_ANNOTATIONS: what the pod's `prometheus.io/*` annotations said; `undefined` when the application has none. */
export function parseAppMetrics(text: string, statusPort: number): AppMetrics | undefined {
  const value = text ? jsonObject(text) : undefined
  if (!value || !isObject(value) || String(value.scrape) !== 'true') return undefined
  const port = Number(value.port || 80)
  const path = typeof value.path === 'string' && value.path !== '' ? value.path : '/metrics'
  // An application that names the agent's own port would have it scrape itself without end.
  if (!Number.isInteger(port) || port < 1 || port > 65535 || port === statusPort) return undefined
  return { port, path: path.startsWith('/') ? path : `/${path}` }
}

export interface MergedMetricsOptions {
  readonly adminPort: number
  /** The workload whose proxy it is. */
  readonly workload: Peer
  readonly app: AppMetrics | undefined
  /** The agent's own metrics, in Prometheus' text form; absent where only Envoy's are asked for. */
  readonly own?: () => string
}

/** Answers one scrape. Each part that cannot be had is left out and counted in the agent's own metrics. */
export async function serveMergedMetrics(
  options: MergedMetricsOptions,
  request: IncomingMessage,
  response: ServerResponse,
  failed: (part: 'envoy' | 'application') => void,
): Promise<void> {
  response.writeHead(200, { 'content-type': CONTENT_TYPE })
  const query = new URL(request.url ?? '/', 'http://localhost').search
  const parts = [
    { part: 'envoy' as const, port: options.adminPort, path: `/stats/prometheus${query}`, adapt: new CallMetrics(options.workload) },
    ...(options.app ? [{ part: 'application' as const, ...options.app, adapt: UNCHANGED }] : []),
  ]
  for (const { part, port, path, adapt } of parts) {
    try {
      await copy({ port, path, adapt }, request, response)
    } catch (error) {
      failed(part)
      log.warn(`metrics of the ${part} cannot be had from port ${port}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  response.end(options.own?.())
}

/** What becomes of lines on their way, and what follows the last. */
interface Adapter {
  write(text: string): Iterable<string>
  end(): Iterable<string>
}

const UNCHANGED: Adapter = { write: (text) => [text], end: () => [] }

interface Part {
  readonly port: number
  readonly path: string
  readonly adapt: Adapter
}

async function copy({ port, path, adapt }: Part, from: IncomingMessage, to: ServerResponse): Promise<void> {
  const timeout = from.headers['x-prometheus-scrape-timeout-seconds']
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { accept: 'text/plain;version=0.0.4', ...(timeout ? { 'x-prometheus-scrape-timeout-seconds': timeout } : {}) }
    http.get({ host: '127.0.0.1', port, path, agent: false, headers, signal: AbortSignal.timeout(TIMEOUT_MS) }, resolve).on('error', reject)
  })
  if (answer.statusCode !== 200) {
    answer.destroy()
    throw new Error(`HTTP status ${answer.statusCode}`)
  }
  let size = 0
  let rest = ''
  for await (const chunk of answer.setEncoding('utf8')) {
    // The scraper has gone; to leave the loop ends the answer.
    if (to.destroyed) return
    size += chunk.length
    if (size > MAX_APP_BYTES) throw new Error(`more than ${MAX_APP_BYTES} bytes`)
    const text = rest + chunk
    const lines = text.lastIndexOf('\n') + 1
    const end = lines === 0 && text.length > MAX_LINE ? text.length : lines
    rest = text.slice(end)
    for (const adapted of adapt.write(text.slice(0, end))) await write(to, withoutEnd(adapted))
  }
  if (rest) for (const adapted of adapt.write(`${rest}\n`)) await write(to, withoutEnd(adapted))
  for (const adapted of adapt.end()) await write(to, adapted)
}

async function write(to: ServerResponse, text: string): Promise<void> {
  // Of one that has gone there comes no further event.
  if (text === '' || to.destroyed || to.write(text)) return
  await new Promise<void>((resolve) => {
    const done = () => {
      to.off('drain', done)
      to.off('close', done)
      resolve()
    }
    to.on('drain', done)
    to.on('close', done)
  })
}

/** OpenMetrics' end mark would end the answer early for a strict reader. */
const withoutEnd = (text: string): string => text.replace(/^# EOF\n?/gm, '')
