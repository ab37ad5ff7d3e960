/** A journey as data for people and programs: steps in order, each with the objects that caused it. */
import { TYPE_URL } from '@lateen/envoy'
import type { FilterVerdict, Origin, PathOutcome, Trace, Upstream, UpstreamEndpoint } from '@lateen/simulate'
import { fieldsOf, listOf } from './fields.ts'
import { type Arrival, causes, type Journey, type Leg } from './journey.ts'
import type { PodView } from './proxy-node.ts'
import type { World } from './world.ts'

export interface Cause extends Origin {
  /** `file:line`, for objects from files. */
  readonly file?: string
}

export interface Step {
  /** `name.namespace` of the pod whose proxy does it. */
  readonly proxy: string
  readonly stage: string
  readonly name: string
  readonly details: readonly string[]
  readonly causes: readonly Cause[]
}

export interface Branch {
  /** Percent of requests. */
  readonly percent: number
  readonly result: string
  /** Answered by a proxy with this status; absent when the request reaches a destination. */
  readonly status?: number
  readonly flag?: string
  readonly steps: readonly Step[]
}

export interface Report {
  readonly request: { readonly method: string; readonly url: string; readonly from: string; readonly proxy: string }
  /** Steps that all requests take. */
  readonly steps: readonly Step[]
  readonly branches: readonly Branch[]
  readonly notes: readonly string[]
}

export function reportOf(world: World, journey: Journey): Report {
  const { from, target } = journey
  const default_ = { http: 80, https: 443, grpc: 80, tls: 443, tcp: 0 }[target.scheme] === target.port
  const url = `${target.scheme}://${target.host}${default_ ? '' : `:${target.port}`}${target.scheme === 'tcp' || target.scheme === 'tls' ? '' : target.path}`
  const reporter = new Reporter(world)
  return {
    request: { method: target.method, url, from: nameOf(from), proxy: from.role },
    steps: journey.trace
      ? reporter.common(from, journey.trace, `${journey.dialled.address}:${journey.dialled.port}`, [journey.dialled.port, target.port])
      : [],
    branches: journey.legs.map((leg) => reporter.branch(journey, leg)),
    notes: notesOf(world, journey),
  }
}

const nameOf = (pod: PodView): string => `${pod.name}.${pod.namespace}`

function notesOf(world: World, { from, trace }: Journey): string[] {
  return [
    ...(from.role === 'none' ? [`${nameOf(from)} has no proxy: no route, no policy of the caller's side applies`] : []),
    ...(world.assumed.length > 0 ? [`assumed, for the files hold no such Service: ${world.assumed.join(', ')}`] : []),
    ...world.diagnostics
      .slice(0, 5)
      .map(
        ({ code, object, path, message }) =>
          `${code} ${object.kind} ${object.namespace}/${object.name}: ${path ? `${path}: ` : ''}${message}`,
      ),
    ...(trace?.outcomes.some(({ route }) => route?.assumed) ? ['conditions that cannot be seen from here were taken to hold'] : []),
  ]
}

/** Virtual hosts of what nobody knows. */
const CATCH_ALL: ReadonlySet<string> = new Set(['allow_any', 'block_all'])

class Reporter {
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  /** Listener, filter chain, virtual host. */
  common(pod: PodView, trace: Trace, dialled: string, ports: readonly number[]): Step[] {
    const steps: Step[] = []
    const { listener, filterChain, virtualHost, routeConfiguration } = trace
    if (listener) {
      const read = causes(this.world, pod, listener.origins, { typeUrl: TYPE_URL.LDS, name: listener.name }, ['Gateway']).filter((origin) =>
        this.opensPort(origin, ports),
      )
      steps.push(this.step(pod, 'listener', listener.name, [`dialled ${dialled}`], read))
    }
    if (filterChain) {
      const tls = { none: 'plain text', mutual: 'mutual TLS', terminated: 'TLS ended here', 'passed through': 'TLS passed through' }[
        filterChain.tls
      ]
      steps.push(
        this.step(
          pod,
          'filter chain',
          filterChain.name,
          [filterChain.match, `${filterChain.kind === 'http' ? 'HTTP' : 'bytes'}, ${tls}`],
          filterChain.origins,
        ),
      )
    }
    if (virtualHost && routeConfiguration !== undefined)
      steps.push(
        this.step(
          pod,
          'virtual host',
          virtualHost.name,
          [`domain ${virtualHost.domain}, routes ${routeConfiguration}`],
          this.virtualHostCauses(pod, routeConfiguration, virtualHost),
        ),
      )
    return steps
  }

  /** Whether a Gateway has one of the ports: the workload's, or the one of the Service in front of it. */
  private opensPort({ kind, namespace, name }: Origin, ports: readonly number[]): boolean {
    const gateways = this.world.objects.filter(
      ({ kind: own, metadata }) => own === kind && metadata.namespace === namespace && metadata.name === name,
    )
    return gateways.some(({ spec }) => {
      const { servers, listeners } = fieldsOf(spec)
      const opened = [
        ...listOf(servers).map((server) => fieldsOf(fieldsOf(server)['port'])['number']),
        ...listOf(listeners).map((one) => fieldsOf(one)['port']),
      ]
      return opened.some((port) => ports.includes(Number(port)))
    })
  }

  /** Rules and services; of a sidecar's virtual hosts each is a resource of its own, a gateway's are in the route configuration. */
  private virtualHostCauses(pod: PodView, routes: string, { name, origins }: NonNullable<Trace['virtualHost']>): readonly Origin[] {
    // Where no rule speaks of the host, the caller's Sidecar says whether it may be called.
    if (CATCH_ALL.has(name)) return this.world.governing(pod).filter(({ kind }) => kind === 'Sidecar')
    if (origins.length > 0) return origins
    return causes(this.world, pod, origins, { typeUrl: TYPE_URL.VHDS, name: `${routes}/${name}` }, ['ServiceEntry', 'Service'])
  }

  branch({ from, trace }: Journey, leg: Leg): Branch {
    const { outcome, upstream } = leg
    const steps = trace ? this.routeSteps(from, outcome) : []
    if (upstream) steps.push(this.clusterStep(from, upstream, outcome))
    for (const arrival of leg.arrivals) steps.push(...this.arrivalSteps(arrival))
    return { percent: percent(outcome.share), ...resultOf(leg, this.world), steps }
  }

  private routeSteps(pod: PodView, outcome: PathOutcome): Step[] {
    const { route, verdicts } = outcome
    return [
      ...(route
        ? [
            this.step(
              pod,
              'route',
              route.name || `#${route.index}`,
              [
                route.match,
                ...route.passedOver
                  .slice(-3)
                  .map(({ name, condition, origins }) => `passed over ${name || this.shortCause(origins)}: not ${condition}`),
                ...(route.passedOver.length > 3 ? [`and ${route.passedOver.length - 3} routes before`] : []),
                ...(route.assumed ? [`assumed: ${route.assumed}`] : []),
              ],
              route.origins,
            ),
          ]
        : []),
      ...verdicts.map((verdict) => this.verdictStep(pod, verdict)),
    ]
  }

  private shortCause(origins: readonly Origin[]): string {
    const [first] = origins
    return first ? `${first.namespace}/${first.name} ${first.path ?? ''}`.trim() : 'a route'
  }

  private verdictStep(pod: PodView, verdict: FilterVerdict): Step {
    return this.step(pod, 'filter', verdict.filter.replace('envoy.filters.', ''), [verdict.says], verdict.origins)
  }

  private clusterStep(pod: PodView, upstream: Upstream, { end }: PathOutcome): Step {
    const details = end.kind === 'forward' ? forwardTexts(end) : []
    const found = {
      endpoints: `${upstream.endpoints.length} endpoints, ${upstream.loadBalancing}`,
      name: 'endpoints by DNS',
      'address dialled': 'to the address dialled',
    }
    const endpoints = upstream.endpoints.slice(0, 5).map(endpointText)
    const more = upstream.endpoints.length > 5 ? [`and ${upstream.endpoints.length - 5} more`] : []
    return this.step(pod, 'cluster', upstream.cluster, [...details, found[upstream.found], ...endpoints, ...more], upstream.origins)
  }

  private arrivalSteps({ pod, endpoint, trace, outcome }: Arrival): Step[] {
    const address = `${endpoint.address}:${endpoint.port}`
    if (!trace) return [this.step(pod, 'application', address, ['no proxy: the application gets the request as it is'], [])]
    const { filterChain } = trace
    const said = outcome?.end.kind === 'forward' ? `to the application by ${outcome.end.cluster}` : outcome ? endText(outcome) : 'nothing'
    const causing = [...(filterChain?.origins ?? []), ...this.world.governing(pod)]
    const tls = filterChain
      ? {
          none: 'taken in plain text',
          mutual: 'taken with mutual TLS',
          terminated: 'TLS ended here',
          'passed through': 'TLS passed through',
        }[filterChain.tls]
      : 'not taken'
    return [
      this.step(pod, 'inbound', address, [tls, ...(filterChain ? [filterChain.match] : []), said], causing),
      ...(outcome?.verdicts ?? []).map((verdict) => this.verdictStep(pod, verdict)),
    ]
  }

  private step(pod: PodView, stage: string, name: string, details: readonly string[], origins: readonly Origin[]): Step {
    const located = origins.map((origin): Cause => {
      const file = this.world.whereIs(origin)
      return { ...origin, ...(file !== undefined && { file }) }
    })
    return { proxy: nameOf(pod), stage, name, details: details.filter((detail) => detail !== ''), causes: located }
  }
}

export const percent = (share: number): number => Math.round(share * 10_000) / 100

const TLS_TEXT: Readonly<Record<UpstreamEndpoint['tls']['mode'], string>> = {
  plaintext: 'plain text',
  mesh: 'mutual TLS',
  mutual: 'mutual TLS by rule',
  tls: 'TLS',
}

function endpointText({ address, port, workload, tls, locality, healthy, share, priority }: UpstreamEndpoint): string {
  const parts = [
    `${address}${port ? `:${port}` : ''}`,
    workload,
    TLS_TEXT[tls.mode],
    locality,
    priority > 0 ? `priority ${priority}` : '',
    healthy ? `${percent(share)} %` : 'not healthy',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

function forwardTexts(end: Extract<PathOutcome['end'], { kind: 'forward' }>): string[] {
  const { request, policy } = end
  const changes =
    request?.requestChanges.map(({ action, name, value }) =>
      action === 'remove' ? `header ${name} removed` : `header ${name}: ${value ?? ''}`,
    ) ?? []
  const answers =
    request?.responseChanges.map(({ action, name, value }) =>
      action === 'remove' ? `header ${name} removed from answers` : `header ${name}: ${value ?? ''} in answers`,
    ) ?? []
  const retries = policy?.retries
  return [
    request ? `as ${request.method} ${request.path}, host ${request.authority}` : '',
    policy ? (policy.timeoutMs > 0 ? `timeout ${policy.timeoutMs} ms` : 'no timeout') : '',
    retries
      ? `up to ${retries.attempts} retries on ${retries.on.join(', ')}${retries.perTryTimeoutMs ? `, ${retries.perTryTimeoutMs} ms each` : ''}`
      : '',
    ...(policy?.mirrors.map(({ cluster, share }) => `mirrored ${percent(share)} % to ${cluster}`) ?? []),
    policy && policy.hashedBy.length > 0 ? `bound to an endpoint by ${policy.hashedBy.join(', ')}` : '',
    ...changes,
    ...answers,
  ].filter((text) => text !== '')
}

function endText({ end }: PathOutcome): string {
  switch (end.kind) {
    case 'answer':
      return `answers ${end.status}${end.location ? ` to ${end.location}` : ''}: ${end.why}`
    case 'closed':
      return `closes the connection: ${end.why}`
    case 'forward':
      return `goes to ${end.cluster}`
  }
}

function resultOf({ outcome, upstream, arrivals }: Leg, world: World): Pick<Branch, 'result' | 'status' | 'flag'> {
  const { end } = outcome
  const delay = outcome.delayMs ? `after ${outcome.delayMs} ms ` : ''
  if (end.kind === 'answer') return { result: `${delay}${endText(outcome)}`, status: end.status, ...(end.flag && { flag: end.flag }) }
  if (end.kind === 'closed') return { result: `${delay}${endText(outcome)}`, ...(end.flag && { flag: end.flag }) }
  const refused = arrivals.map((arrival) => arrival.outcome).find((found) => found && found.end.kind !== 'forward')
  if (refused)
    return {
      result: `${delay}refused at the destination: ${endText(refused)}`,
      ...(refused.end.kind === 'answer' ? { status: refused.end.status } : { status: 503, flag: 'UF' }),
    }
  if (upstream?.found === 'endpoints' && world.live && !upstream.endpoints.some(({ healthy }) => healthy))
    return { result: `${delay}answers 503: ${upstream.cluster} has no healthy endpoint`, status: 503, flag: 'UH' }
  return { result: `${delay}${destinationText(upstream, end.cluster)}` }
}

function destinationText(upstream: Upstream | undefined, cluster: string): string {
  const [service] = upstream?.services ?? []
  if (!service) return cluster === '' ? 'reaches what was dialled' : `reaches ${cluster}`
  return `reaches ${service.host}${upstream?.subset ? `, subset ${upstream.subset}` : ''}`
}
