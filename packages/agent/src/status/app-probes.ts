/**
 * The application's own probes: the injector points the kubelet at the agent, because behind STRICT mTLS the kubelet cannot reach
 * the application; the agent asks the application from within the pod.
 */

import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { http } from '../envoy/node-http.ts'
import { lengthField, readFields } from '../grpc/protobuf.ts'
import { callUnary } from '../grpc/unary-call.ts'
import { isObject, SettingError } from '../settings/environment.ts'

export type AppProbe = { readonly timeoutMs: number } & (
  | {
      readonly kind: 'http'
      readonly port: number
      readonly path: string
      readonly secure: boolean
      readonly headers: readonly (readonly [string, string])[]
    }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string }
)

const PATH = /^\/app-(health|lifecycle)\/[a-zA-Z0-9.-]{1,253}\/(livez|readyz|startupz|prestopz|poststartz)$/
const MAX_PROBES = 1000

/**
 * Parses ISTIO_KUBE_APP_PROBERS: an object from paths (`/app-health/<container>/livez`) to Kubernetes probes.
 *
 * @throws SettingError naming the path
 */
export function parseAppProbes(text: string): ReadonlyMap<string, AppProbe> {
  const probes = new Map<string, AppProbe>()
  if (!text) return probes
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new SettingError('ISTIO_KUBE_APP_PROBERS is not JSON', { cause })
  }
  if (!isObject(value)) throw new SettingError('ISTIO_KUBE_APP_PROBERS is not an object')
  for (const [path, probe] of Object.entries(value).slice(0, MAX_PROBES)) {
    if (!PATH.test(path)) throw new SettingError(`ISTIO_KUBE_APP_PROBERS: "${path}" is not a path like /app-health/<container>/livez`)
    probes.set(path, parseAppProbe(probe, `ISTIO_KUBE_APP_PROBERS: ${path}`))
  }
  return probes
}

/** One probe as Kubernetes writes it. @throws SettingError beginning with `where` */
export function parseAppProbe(value: unknown, where: string): AppProbe {
  const probe = isObject(value) ? value : {}
  const timeoutMs = (typeof probe.timeoutSeconds === 'number' && probe.timeoutSeconds > 0 ? Math.min(probe.timeoutSeconds, 3600) : 1) * 1000
  const { httpGet, tcpSocket, grpc } = probe
  if (isObject(httpGet)) {
    const target = typeof httpGet.path === 'string' && httpGet.path !== '' ? httpGet.path : '/'
    return {
      kind: 'http',
      timeoutMs,
      port: portOf(httpGet, where),
      path: target.startsWith('/') ? target : `/${target}`,
      secure: httpGet.scheme === 'HTTPS',
      headers: headersOf(httpGet.httpHeaders),
    }
  }
  if (isObject(tcpSocket)) return { kind: 'tcp', timeoutMs, port: portOf(tcpSocket, where) }
  if (isObject(grpc))
    return { kind: 'grpc', timeoutMs, port: portOf(grpc, where), service: typeof grpc.service === 'string' ? grpc.service : '' }
  throw new SettingError(`${where} has none of httpGet, tcpSocket and grpc`)
}

function portOf(target: Record<string, unknown>, where: string): number {
  const port = Number(target.port)
  if (Number.isInteger(port) && port > 0 && port < 65536) return port
  throw new SettingError(`${where} has the port ${JSON.stringify(target.port)}; expected a number from 1 to 65535`)
}

function headersOf(list: unknown): [string, string][] {
  if (!Array.isArray(list)) return []
  return list
    .slice(0, 100)
    .flatMap((item): [string, string][] => (isObject(item) && typeof item.name === 'string' ? [[item.name, String(item.value ?? '')]] : []))
}

/**
 * Where the application is asked. The pod's own address, because an application may listen there alone; and from 127.0.0.6, which
 * capture leaves alone, so that the call does not go through Envoy.
 */
export interface ProbeTarget {
  readonly host: string
  readonly localAddress?: string
}

/** The target for a pod address. */
export function probeTarget(ip: string | undefined, legacyLocalhost: boolean): ProbeTarget {
  if (legacyLocalhost || ip === undefined) return { host: '127.0.0.1' }
  return ip.includes(':') ? { host: ip } : { host: ip, localAddress: '127.0.0.6' }
}

/** The HTTP status that the kubelet is given: the application's own, or 500 when it cannot be asked. */
export async function runAppProbe(probe: AppProbe, target: ProbeTarget, request: IncomingMessage): Promise<number> {
  try {
    return await askApplication(probe, target, String(request.headers['user-agent'] ?? 'kube-probe'))
  } catch {
    return 500
  }
}

/** The application's HTTP status; 200 and 500 where it speaks another protocol. @throws Error when it cannot be asked */
export async function askApplication(probe: AppProbe, target: ProbeTarget, userAgent: string): Promise<number> {
  switch (probe.kind) {
    case 'http':
      return probeHttp(probe, target, userAgent)
    case 'tcp':
      await probeTcp(probe, target)
      return 200
    case 'grpc':
      return (await probeGrpc(probe, target)) ? 200 : 500
  }
}

async function probeHttp(probe: AppProbe & { kind: 'http' }, target: ProbeTarget, userAgent: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const given = Object.fromEntries(probe.headers)
  const host = probe.headers.find(([name]) => name.toLowerCase() === 'host')?.[1]
  const options = {
    host: target.host,
    port: probe.port,
    path: probe.path,
    agent: false,
    signal: AbortSignal.timeout(probe.timeoutMs),
    headers: {
      'user-agent': userAgent,
      connection: 'close',
      ...given,
      host: host ?? `${hostText(target.host)}:${probe.port}`,
    },
    ...(target.localAddress ? { localAddress: target.localAddress } : {}),
  }
  // The kubelet does not check certificates of probes either.
  const request = probe.secure ? process.getBuiltinModule('node:https').get({ ...options, rejectUnauthorized: false }) : http.get(options)
  request.on('error', reject)
  request.on('response', (response) => {
    resolve(response.statusCode ?? 500)
    response.destroy()
  })
  return promise
}

const hostText = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip)

function probeTcp(probe: AppProbe & { kind: 'tcp' }, target: ProbeTarget): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ host: target.host, port: probe.port, ...(target.localAddress ? { localAddress: target.localAddress } : {}) })
  socket.setTimeout(probe.timeoutMs, () => socket.destroy(new Error('timeout')))
  socket.once('connect', () => {
    resolve()
    socket.destroy()
  })
  socket.once('error', reject)
  return promise
}

/** grpc.health.v1: HealthCheckRequest service = 1; HealthCheckResponse status = 1, of which 1 is SERVING. */
async function probeGrpc(probe: AppProbe & { kind: 'grpc' }, target: ProbeTarget): Promise<boolean> {
  const answer = await callUnary({
    address: `${hostText(target.host)}:${probe.port}`,
    method: '/grpc.health.v1.Health/Check',
    message: probe.service ? lengthField(1, probe.service) : Buffer.alloc(0),
    timeoutMs: probe.timeoutMs,
    ...(target.localAddress ? { localAddress: target.localAddress } : {}),
  })
  for (const field of readFields(answer)) if (field.number === 1) return field.varint === 1n
  return false
}
