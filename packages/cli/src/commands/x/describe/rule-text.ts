/** What the rules of a service say about the pods behind it: DestinationRules and VirtualServices in the lines of `x describe`. */
import {
  type DestinationRuleSpec,
  type HTTPMatchRequest,
  type HTTPRoute,
  hasLabels,
  type KubeObject,
  type StringMatch,
  type TCPRoute,
  type VirtualServiceSpec,
} from '@lateen/api'

export type DestinationRule = KubeObject<DestinationRuleSpec>
export type VirtualService = KubeObject<VirtualServiceSpec>
type Labels = Readonly<Record<string, string>>

/** How far below its parent a line is. */
const STEP = '   '

/** Names of a rule's subsets: those that at least one of the pods is in, and the others. */
export interface Subsets {
  readonly matching: readonly string[]
  readonly other: readonly string[]
}

export const NO_SUBSETS: Subsets = { matching: [], other: [] }

export function subsetsOf({ spec }: DestinationRule, pods: readonly Labels[]): Subsets {
  const isIn = (labels: Labels = {}) => pods.some((pod) => hasLabels(pod, labels))
  const subsets = spec?.subsets ?? []
  return {
    matching: subsets.filter(({ labels }) => isIn(labels)).map(({ name }) => name),
    other: subsets.filter(({ labels }) => !isIn(labels)).map(({ name }) => name),
  }
}

export interface Naming {
  /** The name of an object as the user would write it. */
  name(object: KubeObject): string
  /** DNS suffix of services: `svc.cluster.local`. */
  readonly suffix: string
}

export function destinationRuleLines(rule: DestinationRule, pods: readonly Labels[], naming: Naming): string[] {
  const { matching, other } = subsetsOf(rule, pods)
  const policy = rule.spec?.trafficPolicy
  const ports = policy?.portLevelSettings ?? []
  return [
    `DestinationRule: ${naming.name(rule)} for "${rule.spec?.host ?? ''}"`,
    ...(matching.length === 0 && other.length > 0
      ? [`${STEP}WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets ${other.join(',')})`]
      : []),
    ...(matching.length + other.length > 0 ? [`${STEP}Matching subsets: ${matching.join(',')}`] : []),
    ...(other.length > 0 ? [`${STEP}${STEP}(Non-matching subsets ${other.join(',')})`] : []),
    ...(policy === undefined ? [`${STEP}No Traffic Policy`] : []),
    ...(policy?.tls ? [`${STEP}Traffic Policy TLS Mode: ${policy.tls.mode ?? 'DISABLE'}`] : []),
    ...policiesLine(policy, STEP),
    ...(ports.length > 0 ? [`${STEP}Port Level Settings:`] : []),
    ...ports.flatMap((settings) => [
      `${STEP} ${settings.port?.number ?? 0}:`,
      ...(settings.tls ? [`${STEP}${STEP}TLS Mode: ${settings.tls.mode ?? 'DISABLE'}`] : []),
      ...policiesLine(settings, `${STEP}${STEP}`),
    ]),
  ]
}

function policiesLine(
  policy: { readonly loadBalancer?: unknown; readonly connectionPool?: unknown; readonly outlierDetection?: unknown } | undefined,
  indent: string,
): string[] {
  const named = [
    ...(policy?.loadBalancer ? ['load balancer'] : []),
    ...(policy?.connectionPool ? ['connection pool'] : []),
    ...(policy?.outlierDetection ? ['outlier detection'] : []),
  ]
  return named.length > 0 ? [`${indent}Policies: ${named.join('/')}`] : []
}

/** Whom the lines are about: the service, and the subsets of its pods. */
export interface Destination {
  /** `reviews.shop.svc.cluster.local`. */
  readonly host: string
  readonly subsets: Subsets
  readonly rule: DestinationRule | undefined
}

/** What of a route concerns the destination; `facts` of a route that does not match say why. */
interface RouteFacts {
  readonly matches: boolean
  readonly facts: readonly string[]
}

export function virtualServiceLines(service: VirtualService, destination: Destination, naming: Naming): string[] {
  const { http = [], tls = [], tcp = [] } = service.spec ?? {}
  const results = [
    ...http.map((route) => httpFacts(service, route, destination, naming)),
    ...tcp.map((route) => tcpFacts(service, route, destination, naming)),
  ]
  const matched = results.filter(({ matches }) => matches)
  const facts = matched.flatMap((result) => result.facts)
  const others = results.filter(({ matches }) => !matches).flatMap((result) => result.facts)
  const possible = http.length + tls.length + tcp.length
  const title = `VirtualService: ${naming.name(service)}`
  if (matched.length === 0) return [title, ...nothingMatches(http.length, tcp.length), ...others.map((note) => `${STEP}${STEP}${note}`)]
  return [
    title,
    ...facts.map((fact) => `${STEP}${fact}`),
    ...(matched.length < possible ? [`${STEP}${possible - matched.length} additional destination(s) that will not reach this pod`] : []),
    ...(matched.length < possible && facts.length === 0 ? others.map((note) => `${STEP}${STEP}${note}`) : []),
    ...(matched.length === possible && facts.length === 0 ? counts(http.length, tcp.length) : []),
  ]
}

const nothingMatches = (http: number, tcp: number): string[] => [
  ...(http > 0 ? [`${STEP}WARNING: No destinations match pod subsets (checked ${http} HTTP routes)`] : []),
  ...(tcp > 0 ? [`${STEP}WARNING: No destinations match pod subsets (checked ${tcp} TCP routes)`] : []),
]

const counts = (http: number, tcp: number): string[] => [
  ...(http > 0 ? [`${STEP}${http} HTTP route(s)`] : []),
  ...(tcp > 0 ? [`${STEP}${tcp} TCP route(s)`] : []),
]

/** A short host is one of the namespace of the object that names it. */
function fullHost(host: string, { metadata }: KubeObject, suffix: string): string {
  if (host.endsWith(`.${suffix}`) || host.startsWith('*')) return host
  return `${host.includes('.') ? host : `${host}.${metadata.namespace ?? ''}`}.${suffix}`
}

function httpFacts(service: VirtualService, route: HTTPRoute, { host, subsets, rule }: Destination, naming: Naming): RouteFacts {
  const facts: string[] = []
  const notes: string[] = []
  let matches = false
  for (const { destination, weight = 0 } of route.route ?? []) {
    const { host: named = '', subset = '' } = destination ?? {}
    if (fullHost(named, service, naming.suffix) !== host) {
      facts.push(`Route to host "${named}"${subset ? ` subset "${subset}"` : ''} with weight ${weight}%`)
    } else if (subset !== '' && !subsets.matching.includes(subset)) {
      notes.push(subsetNote(subset, { subsets, rule, matches: route.match ?? [] }, naming))
    } else {
      matches = true
      if (weight > 0) facts.push(`Route to host "${named}"${subset ? ` subset "${subset}"` : ''} with weight ${weight}%`)
    }
  }
  if (!matches) return { matches, facts: notes.length > 0 ? [...facts, ...notes] : facts }
  const conditions = [...(route.fault ? [`Fault injection ${faultText(route.fault)}`] : []), ...(route.match ?? []).map(matchText)]
  return { matches, facts: [...facts, ...(conditions.length > 0 ? [conditions.join(', ')] : [])] }
}

function subsetNote(
  subset: string,
  { subsets, rule, matches }: { subsets: Subsets; rule: DestinationRule | undefined; matches: readonly HTTPMatchRequest[] },
  naming: Naming,
): string {
  if (subsets.other.includes(subset)) {
    const when = matches.length === 0 ? 'everything' : matches.map(matchText).join(', ')
    return `Route to non-matching subset ${subset} for (${when})`
  }
  return rule === undefined
    ? `Warning: Route to subset ${subset} but NO DESTINATION RULE defining subsets!`
    : `Warning: Route to UNKNOWN subset ${subset}; check DestinationRule ${naming.name(rule)}`
}

function faultText({ delay, abort }: NonNullable<HTTPRoute['fault']>): string {
  const parts = [
    ...(delay ? [`delay ${delay.fixedDelay ?? ''} for ${share(delay.percentage?.value)}`] : []),
    ...(abort ? [`abort ${abort.httpStatus ?? abort.grpcStatus ?? ''} for ${share(abort.percentage?.value)}`] : []),
  ]
  return parts.join(', ')
}

const share = (percent: number | undefined): string => `${percent ?? 100}%`

function tcpFacts(service: VirtualService, route: TCPRoute, { host }: Destination, naming: Naming): RouteFacts {
  const matches = (route.route ?? []).some(({ destination }) => fullHost(destination?.host ?? '', service, naming.suffix) === host)
  const conditions = (route.match ?? []).map((match) => `Match: ${JSON.stringify(match)}`)
  return { matches, facts: matches ? conditions : [] }
}

/** Exported for tests. */
export function matchText(match: HTTPMatchRequest): string {
  const uri = match.uri ? `${stringMatchText(match.uri)}${match.ignoreUriCase ? ' uncased' : ''}` : ''
  const headers = Object.entries(match.headers ?? {}).map(([name, value]) => `${name}=${stringMatchText(value)}`)
  const when = headers.length > 0 ? ` when headers are ${headers.join('; ')}` : ''
  return `Match: ${uri}${when}`.trim()
}

function stringMatchText(match: StringMatch): string {
  if (match.exact !== undefined) return match.exact
  if (match.prefix !== undefined) return `${match.prefix}*`
  return match.regex === undefined ? '*' : `regex ${match.regex}`
}
