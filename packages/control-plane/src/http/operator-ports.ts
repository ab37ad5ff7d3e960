/** The two ports for operators: readiness and debug pages; metrics, version and debug pages. */
import type { DebugAccess } from '../debug/debug-access.ts'
import type { DebugContext } from '../debug/debug-context.ts'
import { serveDebug } from '../debug/debug-pages.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { DiscoveryOptions } from '../options/discovery-options.ts'
import { VERSION } from '../version.ts'
import { type HttpReply, type HttpRequest, type RunningHttpServer, startHttpServer } from './http-server.ts'

export interface OperatorPortsOptions {
  readonly options: DiscoveryOptions
  readonly metrics: Metrics
  readonly isReady: () => boolean
  readonly access: () => DebugAccess | undefined
  readonly debug: DebugContext
}

/** @throws ListenError */
export async function startOperatorPorts(
  ports: OperatorPortsOptions,
): Promise<{ http?: RunningHttpServer; monitoring?: RunningHttpServer }> {
  const { http, monitoring } = ports.options.listen
  const handler = (request: HttpRequest) => answer(ports, request)
  return {
    ...(http ? { http: await startHttpServer({ name: 'readiness and debug pages', flag: 'httpAddr', address: http, handler }) } : {}),
    ...(monitoring ? { monitoring: await startHttpServer({ name: 'metrics', flag: 'monitoringAddr', address: monitoring, handler }) } : {}),
  }
}

async function answer(ports: OperatorPortsOptions, request: HttpRequest): Promise<HttpReply> {
  const { pathname } = request.url
  const { metrics } = ports
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, body: 'only GET is answered here\n' }
  if (pathname === '/ready') return ports.isReady() ? { status: 200, body: '' } : { status: 503, body: 'the control plane is not ready\n' }
  if (pathname === '/version') return { status: 200, body: `${VERSION}-lateen-Clean` }
  if (pathname === '/metrics') return { status: 200, body: await metrics.text(), contentType: metrics.contentType }
  const access = ports.access()
  if ((pathname === '/debug' || pathname.startsWith('/debug/')) && ports.options.debug.onHttp && access) {
    return serveDebug(ports.debug, access, request)
  }
  return { status: 404, body: 'there is nothing here; try /ready, /version, /metrics or /debug\n' }
}
