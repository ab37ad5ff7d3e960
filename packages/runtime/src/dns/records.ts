/** What the cluster's names resolve to, as CoreDNS answers them. Reads the stores when asked; keeps nothing. */
import { isIP } from 'node:net'
import { familyOf } from '@lateen/base'
import type { Answer } from 'dns-packet'
import {
  type Endpoint,
  type EndpointSlice,
  isEndpointReady,
  isHeadless,
  SERVICE_NAME_LABEL,
  type Service,
  type ServicePort,
} from '../kube/service.ts'
import type { Store } from '../kube/store.ts'

export interface RecordSource {
  readonly services: Store<Service>
  readonly slices: Store<EndpointSlice>
  readonly namespaceExists: (name: string) => boolean
  /** `cluster.local`. */
  readonly domain: string
}

/** `missing`: no such name; an existing name without records of the asked type has no answers. */
export type Lookup =
  | { readonly kind: 'found'; readonly answers: Answer[] }
  | { readonly kind: 'missing' }
  | { readonly kind: 'alias'; readonly answer: Answer; readonly target: string }
  | { readonly kind: 'foreign' }

const TTL = 5
const MISSING: Lookup = { kind: 'missing' }
const found = (answers: Answer[] = []): Lookup => ({ kind: 'found', answers })

/** Answers a question about `name` (no trailing dot, any case); `foreign` when the name is not of this cluster. */
export function lookUp(name: string, type: string, source: RecordSource): Lookup {
  const lower = name.toLowerCase()
  if (lower === source.domain) return found()
  const address = addressOfPointer(lower)
  if (address !== undefined) return reverse(address, name, type, source)
  if (!lower.endsWith(`.${source.domain}`)) return { kind: 'foreign' }
  const labels = lower.slice(0, -source.domain.length - 1).split('.')
  const zone = labels.pop()
  const namespace = labels.pop()
  if (zone !== 'svc' && zone !== 'pod') return MISSING
  if (namespace === undefined) return found()
  if (!source.namespaceExists(namespace)) return MISSING
  if (labels.length === 0) return found()
  if (zone === 'pod') return podAddress(labels, name, type)
  const service = source.services.get(namespace, labels.pop() ?? '')
  return service ? ofService(service, labels, { name, type }, source) : MISSING
}

interface Question {
  readonly name: string
  readonly type: string
}

function ofService(service: Service, prefix: readonly string[], question: Question, source: RecordSource): Lookup {
  const { spec } = service
  if (spec?.type === 'ExternalName') {
    if (prefix.length > 0 || !spec.externalName) return MISSING
    const target = spec.externalName.replace(/\.$/, '')
    return { kind: 'alias', target, answer: { type: 'CNAME', name: question.name, ttl: TTL, data: target } }
  }
  if (prefix.length === 0) return addresses(service, question, source)
  if (prefix.length === 2) return serviceRecords(service, prefix, question, source)
  const [hostname = ''] = prefix
  if (prefix.length !== 1 || !isHeadless(service)) return MISSING
  const matching = endpointsOf(service, source).filter(({ endpoint }) => endpointName(endpoint) === hostname)
  return matching.length > 0 ? found(endpointRecords(question, matching)) : MISSING
}

function addresses(service: Service, question: Question, source: RecordSource): Lookup {
  if (!isHeadless(service)) {
    const { clusterIP, clusterIPs = [clusterIP ?? ''] } = service.spec ?? {}
    if (!clusterIP) return MISSING
    if (question.type === 'SRV')
      return found((service.spec?.ports ?? []).map((port) => srv(question.name, port.port, fullName(service, source))))
    return found(addressRecords(question, clusterIPs))
  }
  const endpoints = endpointsOf(service, source)
  // As CoreDNS: a headless service without endpoints has no name.
  if (endpoints.length === 0) return MISSING
  if (question.type === 'SRV') {
    return found(
      endpoints.flatMap(({ endpoint, slice }) =>
        (slice.ports ?? []).map((port) => srv(question.name, port.port ?? 0, `${endpointName(endpoint)}.${fullName(service, source)}`)),
      ),
    )
  }
  return found(endpointRecords(question, endpoints))
}

/** `_http._tcp.reviews.default.svc.cluster.local`. */
function serviceRecords(
  service: Service,
  [portLabel = '', protocolLabel = '']: readonly string[],
  question: Question,
  source: RecordSource,
): Lookup {
  const matches = ({ name, protocol }: Pick<ServicePort, 'name' | 'protocol'>) =>
    `_${name ?? ''}` === portLabel && `_${(protocol ?? 'TCP').toLowerCase()}` === protocolLabel
  const ports = (service.spec?.ports ?? []).filter(matches)
  if (ports.length === 0) return MISSING
  if (question.type !== 'SRV' && question.type !== 'ANY') return found()
  if (!isHeadless(service)) return found(ports.map((port) => srv(question.name, port.port, fullName(service, source))))
  return found(
    endpointsOf(service, source).flatMap(({ endpoint, slice }) =>
      (slice.ports ?? [])
        .filter(({ name, protocol }) => matches({ ...(name ? { name } : {}), ...(protocol ? { protocol } : {}) }))
        .map((port) => srv(question.name, port.port ?? 0, `${endpointName(endpoint)}.${fullName(service, source)}`)),
    ),
  )
}

/** `10-244-0-7.default.pod.cluster.local`, `fd00-10-244--af4-7.…`. */
function podAddress(labels: readonly string[], name: string, type: string): Lookup {
  const [label = ''] = labels
  if (labels.length !== 1) return MISSING
  const address = [label.replaceAll('-', '.'), label.replaceAll('-', ':')].find((text) => isIP(text) !== 0)
  return address === undefined ? MISSING : found(addressRecords({ name, type }, [address]))
}

/** The address that a name of the reverse zones asks about. */
function addressOfPointer(lower: string): string | undefined {
  if (lower.endsWith('.in-addr.arpa')) return lower.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.')
  if (!lower.endsWith('.ip6.arpa')) return undefined
  const digits = lower.slice(0, -'.ip6.arpa'.length).split('.').reverse().join('')
  return canonicalIpv6(digits.match(/.{1,4}/g)?.join(':') ?? '')
}

const canonicalIpv6 = (text: string): string => URL.parse(`http://[${text}]`)?.hostname.slice(1, -1) ?? text

function reverse(address: string, name: string, type: string, source: RecordSource): Lookup {
  const pointer = (target: string) => found(type === 'PTR' || type === 'ANY' ? [{ type: 'PTR', name, ttl: TTL, data: target }] : [])
  for (const service of source.services.all())
    if (service.spec?.clusterIP === address || service.spec?.clusterIPs?.includes(address)) return pointer(fullName(service, source))
  for (const slice of source.slices.all()) {
    const endpoint = slice.endpoints?.find(({ addresses: list }) => list.includes(address))
    const service = source.services.get(slice.metadata.namespace, slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '')
    if (endpoint && service && isHeadless(service)) return pointer(`${endpointName(endpoint)}.${fullName(service, source)}`)
  }
  return { kind: 'foreign' }
}

interface Located {
  readonly endpoint: Endpoint
  readonly slice: EndpointSlice
}

function endpointsOf(service: Service, source: RecordSource): Located[] {
  const result: Located[] = []
  for (const slice of source.slices.inNamespace(service.metadata.namespace ?? '')) {
    if (slice.metadata.labels?.[SERVICE_NAME_LABEL] !== service.metadata.name || slice.addressType === 'FQDN') continue
    for (const endpoint of slice.endpoints ?? [])
      if (isEndpointReady(endpoint) || service.spec?.publishNotReadyAddresses) result.push({ endpoint, slice })
  }
  return result
}

function endpointRecords(question: Question, endpoints: readonly Located[]): Answer[] {
  const list = [...new Set(endpoints.flatMap(({ endpoint }) => endpoint.addresses))]
  // Clients that take the first address spread over all of them.
  const turn = Math.floor(Math.random() * list.length)
  return addressRecords(question, [...list.slice(turn), ...list.slice(0, turn)])
}

/** Those of the family that is asked for. */
function addressRecords({ name, type }: Question, addresses: readonly string[]): Answer[] {
  return addresses.flatMap((data) => {
    const record = familyOf(data) === 'IPv6' ? 'AAAA' : 'A'
    return type === record || type === 'ANY' ? [{ type: record, name, ttl: TTL, data } as const] : []
  })
}

function srv(name: string, port: number, target: string): Answer {
  return { type: 'SRV', name, ttl: TTL, data: { priority: 0, weight: 100, port, target } }
}

function fullName(service: Service, source: RecordSource): string {
  return `${service.metadata.name}.${service.metadata.namespace}.svc.${source.domain}`
}

/** The pod's host name, else its address with dashes. */
function endpointName(endpoint: Endpoint): string {
  return endpoint.hostname ?? (endpoint.addresses[0] ?? '').replaceAll(/[.:]/g, '-')
}
