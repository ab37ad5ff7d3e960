/** What a user asks about: a URL with a method and headers; and the address that the application would dial for it. */
import { isIP } from 'node:net'
import type { HttpRequest } from '@lateen/simulate'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { fieldsOf, listOf, textOf, textsOf } from './fields.ts'
import type { PodView } from './proxy-node.ts'
import type { World } from './world.ts'

export interface Target {
  readonly method: string
  readonly scheme: 'http' | 'https' | 'tcp' | 'tls' | 'grpc'
  readonly host: string
  readonly port: number
  readonly path: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>
}

const PORTS: Readonly<Record<Target['scheme'], number>> = { http: 80, https: 443, tcp: 0, tls: 443, grpc: 80 }
const URL_FORM = /^(?:([a-z]+):\/\/)?(\[[0-9a-fA-F:]+\]|[^/:?#[\]]+)(?::(\d{1,5}))?([/?].*)?$/
const LONGEST = 16 * 1024

/**
 * Reads `http://reviews:9080/path`; the scheme may be left out.
 *
 * @throws CommandError naming what is wrong
 */
export function parseTarget(url: string, options: { readonly method?: string | undefined; readonly headers: readonly string[] }): Target {
  const wrong = (why: string) => new CommandError(`"${url.slice(0, 200)}": ${why}`, { exitCode: EXIT.usage })
  const [, schemeText = 'http', host = '', portText, rest = '/'] = (url.length <= LONGEST && URL_FORM.exec(url)) || []
  if (host === '') throw wrong('a URL such as http://reviews:9080/reviews/0 is wanted')
  const scheme = (Object.keys(PORTS) as Target['scheme'][]).find((one) => one === schemeText)
  if (!scheme) throw wrong(`the scheme is ${schemeText}; use one of ${Object.keys(PORTS).join(', ')}`)
  const port = portText === undefined ? PORTS[scheme] : Number(portText)
  if (port < 1 || port > 65_535) throw wrong(scheme === 'tcp' ? 'a port is missing, as in tcp://redis:6379' : `${port} is no port`)
  const headers = parseHeaders(options.headers)
  const grpc =
    scheme === 'grpc' && !headers.has('content-type') ? new Map([...headers, ['content-type', ['application/grpc']] as const]) : headers
  const method = (options.method ?? (scheme === 'grpc' ? 'POST' : 'GET')).toUpperCase()
  return { method, scheme, host, port, path: rest.startsWith('?') ? `/${rest}` : rest, headers: grpc }
}

/** `name: value`, as curl takes them. @throws CommandError */
export function parseHeaders(lines: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':', line.startsWith(':') ? 1 : 0)
    if (colon <= 0) throw new CommandError(`header "${line}": write it as "name: value"`, { exitCode: EXIT.usage })
    const name = line.slice(0, colon).trim().toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()])
  }
  return headers
}

/** The request as the proxy reads it; a `host` header overrides the URL's host. Undefined for bytes. */
export function requestOf(target: Target): HttpRequest | undefined {
  if (target.scheme === 'tcp' || target.scheme === 'tls') return undefined
  const headers = new Map(target.headers)
  const given = headers.get('host')?.[0] ?? headers.get(':authority')?.[0]
  headers.delete('host')
  headers.delete(':authority')
  const usual = target.port === PORTS[target.scheme]
  const authority = given ?? (usual ? target.host : `${target.host}:${target.port}`)
  return { method: target.method, scheme: target.scheme === 'https' ? 'https' : 'http', authority, path: target.path, headers }
}

/** An address that belongs to nothing. */
const ELSEWHERE = '192.0.2.1'

/** The address and port that are dialled for a host by a pod. */
export function dialled(world: World, from: PodView, target: Target): { readonly address: string; readonly port: number } {
  const { host, port } = target
  if (from.role === 'router') return { address: from.addresses[0] ?? ELSEWHERE, port: gatewayPort(world, from, port) }
  const bare = host.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return { address: bare, port }
  return { address: serviceAddress(world, from, host) ?? entryAddress(world, host) ?? ELSEWHERE, port }
}

/** The port on which a gateway listens for one of the Services in front of it. */
function gatewayPort(world: World, from: PodView, port: number): number {
  for (const service of world.objects) {
    if (service.kind !== 'Service' || service.metadata.namespace !== from.namespace) continue
    const spec = fieldsOf(service.spec)
    const selector = Object.entries(textsOf(spec['selector']))
    if (selector.length === 0 || !selector.every(([key, value]) => from.labels[key] === value)) continue
    const found = listOf(spec['ports'])
      .map(fieldsOf)
      .find((entry) => entry['port'] === port)
    if (typeof found?.['targetPort'] === 'number') return found['targetPort']
  }
  return port
}

function serviceAddress(world: World, from: PodView, host: string): string | undefined {
  const [name = '', second, third, ...domain] = host.replace(/\.$/, '').split('.')
  const local = second === undefined || third === undefined || (third === 'svc' && ['', 'cluster.local'].includes(domain.join('.')))
  if (!local) return undefined
  const namespace = second ?? from.namespace
  const service = world.objects.find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === name && metadata.namespace === namespace,
  )
  if (!service) return undefined
  const spec = fieldsOf(service.spec)
  const address = textOf(spec['clusterIP'])
  if (address !== '' && address !== 'None') return address
  const selector = Object.entries(textsOf(spec['selector']))
  const pod = world.pods.find(
    ({ namespace: own, labels }) => own === namespace && selector.length > 0 && selector.every(([key, value]) => labels[key] === value),
  )
  return pod?.addresses[0]
}

function entryAddress(world: World, host: string): string | undefined {
  const entry = world.objects.find(
    ({ kind, spec }) => kind === 'ServiceEntry' && listOf(fieldsOf(spec)['hosts']).some((name) => String(name) === host),
  )
  const addresses = listOf(fieldsOf(entry?.spec)['addresses']).map(textOf)
  return addresses.find((address) => isIP(address) !== 0)
}
