/** The agent's HTTP port (15020): readiness, the application's probes, merged metrics, and ending the proxy from within the pod. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { logger } from '@lateen/base'
import { ConnectionGuard, countsOnly, peerOf } from '@lateen/base/connections'
import { http } from '../envoy/node-http.ts'
import { type AppProbe, type ProbeTarget, runAppProbe } from './app-probes.ts'
import type { Readiness } from './readiness.ts'

const log = logger('status')

export interface StatusServerOptions {
  readonly port: number
  readonly readiness: Readiness
  readonly probes: ReadonlyMap<string, AppProbe>
  readonly target: ProbeTarget
  /** `ofEnvoy`: without those of the application and of the agent. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse, which: { readonly ofEnvoy: boolean }) => Promise<void>
  /** `POST /quitquitquit` from within the pod: end the proxy. */
  readonly onQuit: () => void
  /** `POST /drain` from within the pod. */
  readonly onDrain: () => Promise<void>
  /** METRICS_LOCALHOST_ACCESS_ONLY. */
  readonly metricsLocalOnly: boolean
}

export interface StatusServer {
  close(): Promise<void>
}

/** Where Envoy's port for metrics sends scrapers on. */
export const ENVOY_METRICS = '/stats/envoy/prometheus'

const METRIC_PATHS = ['/stats/prometheus', '/metrics', ENVOY_METRICS]

/** Node looks for connections whose time is over only as often as `connectionsCheckingInterval` says. */
const LIMITS = { requestTimeout: 30_000, headersTimeout: 10_000, connectionsCheckingInterval: 5_000, maxHeaderSize: 32 * 1024 }

/** Somebody who opens more than half of them, or holds them without a request, does not keep the kubelet out. */
const MAX_CONNECTIONS = 500

/**
 * Listens on all addresses, since the kubelet calls from outside the pod.
 *
 * @throws Error when the port is taken
 */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const server = http.createServer(LIMITS, (request, response) => {
    answer(options, request, response).catch((error: Error) => {
      log.warn(`${request.url} could not be answered: ${error.message}`)
      response.destroy()
    })
  })
  const guard = new ConnectionGuard(countsOnly(MAX_CONNECTIONS))
  server.prependListener('connection', (socket: Socket) => void guard.enter(socket))
  server.on('request', ({ socket }) => guard.of(peerOf(socket))?.step())
  await listen(server, options.port)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** IPv6's any address takes IPv4 as well; where a machine has no IPv6, IPv4's. */
async function listen(server: Server, port: number): Promise<void> {
  const attempt = (host: string) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  try {
    await attempt('::')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new Error(`cannot listen on port ${port}: it is in use; set statusPort in proxy.istio.io/config, or free the port`, {
        cause: error,
      })
    }
    await attempt('0.0.0.0')
  }
}

async function answer(options: StatusServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume()
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  const end = (status: number, text = '') => void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  if (pathname === '/healthz/ready') {
    const reason = await options.readiness.check()
    return reason === undefined ? end(200) : end(503, `${reason}\n`)
  }
  if (METRIC_PATHS.includes(pathname)) {
    return options.metricsLocalOnly && !isLocal(request)
      ? end(403, 'metrics are served on loopback only\n')
      : options.metrics(request, response, { ofEnvoy: pathname === ENVOY_METRICS })
  }
  if (pathname === '/quitquitquit' || pathname === '/drain') {
    if (!isLocal(request)) return end(403, 'only from within the pod\n')
    if (request.method !== 'POST') return end(405, 'POST only\n')
    if (pathname === '/drain') await options.onDrain()
    end(200, 'OK\n')
    return pathname === '/drain' ? undefined : options.onQuit()
  }
  const probe = options.probes.get(pathname)
  return probe ? end(await runAppProbe(probe, options.target, request)) : end(404, 'not found\n')
}

/** Not 127.0.0.6: connections from other pods that come through Envoy have that address. */
function isLocal(request: IncomingMessage): boolean {
  return ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(request.socket.remoteAddress ?? '')
}
