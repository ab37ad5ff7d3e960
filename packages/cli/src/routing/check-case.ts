/** Whether a journey is what a case expects; every difference is said. */
import type { PathOutcome } from '@lateen/simulate'
import type { Expectation } from './cases.ts'
import type { Journey, Leg } from './journey.ts'
import { percent } from './report.ts'

/** Percents that differ by less are equal. */
const TOLERANCE = 0.05

/** What differs; empty when the case passes. */
export function differences(journey: Journey, expect: Expectation): string[] {
  return [...reached(journey, expect), ...answered(journey, expect), ...changed(journey, expect), ...policies(journey, expect)]
}

/** `reviews`, `reviews.shop` and the whole host mean a destination's host; `/subset` behind it its subset. */
function means(expected: string, leg: Pick<Leg, 'upstream'>): boolean {
  const [host = '', subset] = expected.split('/')
  const { upstream } = leg
  const own = upstream?.services.map((service) => service.host) ?? []
  const fits = own.some((one) => one === host || one.startsWith(`${host}.`)) || upstream?.cluster === expected
  return fits && (subset === undefined || subset === upstream?.subset)
}

const nameOf = ({ upstream, outcome }: Leg): string => {
  const [service] = upstream?.services ?? []
  if (service) return `${service.host}${upstream?.subset ? `/${upstream.subset}` : ''}`
  return outcome.end.kind === 'forward'
    ? outcome.end.cluster
    : outcome.end.kind === 'answer'
      ? `status ${outcome.end.status}`
      : 'a closed connection'
}

const forwards = ({ legs }: Journey): Leg[] => legs.filter(({ outcome }) => outcome.end.kind === 'forward')
const shareOf = (legs: readonly Leg[]): number => percent(legs.reduce((sum, { outcome }) => sum + outcome.share, 0))
const differs = (a: number, b: number): boolean => Math.abs(a - b) > TOLERANCE

function reached(journey: Journey, { destination, weights }: Expectation): string[] {
  const said: string[] = []
  if (destination !== undefined) {
    const others = journey.legs.filter((leg) => !means(destination, leg) && !isFault(leg.outcome))
    if (others.length > 0 || journey.legs.length === 0)
      said.push(`destination: ${destination} was expected, ${[...new Set(others.map(nameOf))].join(' and ')} is reached`)
  }
  // Of the requests that are not aborted by a fault.
  const all = shareOf(journey.legs.filter(({ outcome }) => !isFault(outcome)))
  for (const [name, wanted] of Object.entries(weights ?? {})) {
    const found = all === 0 ? 0 : (shareOf(forwards(journey).filter((leg) => means(name, leg))) / all) * 100
    if (differs(found, wanted)) said.push(`weights: ${name} gets ${Math.round(found * 100) / 100} %, ${wanted} % was expected`)
  }
  if (weights) {
    const more = forwards(journey).filter((leg) => !Object.keys(weights).some((name) => means(name, leg)))
    if (more.length > 0) said.push(`weights: ${[...new Set(more.map(nameOf))].join(' and ')} gets requests and is not expected to`)
  }
  return said
}

const isFault = ({ end }: PathOutcome): boolean => end.kind === 'answer' && end.flag === 'FI'

/** Statuses with which proxies answer, on either side. */
function statusesOf({ legs }: Journey): readonly { readonly status: number; readonly why: string; readonly denied: boolean }[] {
  return legs.flatMap((leg) =>
    [leg.outcome, ...leg.arrivals.flatMap(({ outcome }) => outcome ?? [])].flatMap(({ end, verdicts }) => {
      const denied = end.kind !== 'forward' && verdicts.some(({ result, filter }) => result === 'denied' && !filter.includes('fault'))
      if (end.kind === 'answer') return [{ status: end.status, why: end.why, denied }]
      return end.kind === 'closed' ? [{ status: 0, why: end.why, denied }] : []
    }),
  )
}

function answered(journey: Journey, { status, redirect, denied }: Expectation): string[] {
  const said: string[] = []
  const found = statusesOf(journey)
  if (status !== undefined && !(found.length > 0 && found.every((one) => one.status === status))) {
    const instead =
      found.length > 0
        ? found.map((one) => (one.status > 0 ? `${one.status} (${one.why})` : `closed (${one.why})`)).join(' and ')
        : `the destination ${forwards(journey).map(nameOf).join(' and ')}`
    said.push(`status: ${status} was expected, the request gets ${instead}`)
  }
  const locations = journey.legs.flatMap(({ outcome }) =>
    outcome.end.kind === 'answer' && outcome.end.location ? [outcome.end.location] : [],
  )
  if (redirect !== undefined && !(locations.length > 0 && locations.every((location) => location === redirect)))
    said.push(`redirect: ${redirect} was expected, ${locations.length > 0 ? `it leads to ${locations.join(' and ')}` : 'there is none'}`)
  if (denied !== undefined && found.some((one) => one.denied) !== denied)
    said.push(
      denied ? 'denied: a policy was expected to deny the request, none does' : `denied: ${found.find((one) => one.denied)?.why ?? ''}`,
    )
  return said
}

function changed(journey: Journey, { path, host, requestHeaders, responseHeaders }: Expectation): string[] {
  const said = new Set<string>()
  for (const { outcome } of journey.legs) {
    if (outcome.end.kind === 'closed') continue
    const sent = outcome.end.kind === 'forward' ? outcome.end.request : undefined
    if (path !== undefined && sent?.path !== path)
      said.add(`path: ${path} was expected, ${sent ? `${sent.path} is sent` : 'nothing is sent'}`)
    if (host !== undefined && sent?.authority !== host)
      said.add(`host: ${host} was expected, ${sent ? `${sent.authority} is sent` : 'nothing is sent'}`)
    for (const [name, wanted] of Object.entries(requestHeaders ?? {})) {
      const found = sent?.headers.get(name)?.join(',')
      if ((found ?? null) !== wanted) said.add(headerText('requestHeaders', name, wanted, found))
    }
    const changes = outcome.end.kind === 'forward' ? (sent?.responseChanges ?? []) : outcome.end.headers
    for (const [name, wanted] of Object.entries(responseHeaders ?? {})) {
      const last = changes.filter((change) => change.name === name).at(-1)
      const found = last && last.action !== 'remove' ? last.value : undefined
      if ((found ?? null) !== wanted) said.add(headerText('responseHeaders', name, wanted, found))
    }
  }
  return [...said]
}

const headerText = (field: string, name: string, wanted: string | null, found: string | undefined): string =>
  `${field}: ${name} ${wanted === null ? 'was not expected' : `"${wanted}" was expected`}, it is ${found === undefined ? 'not there' : `"${found}"`}`

function policies(journey: Journey, expect: Expectation): string[] {
  const said = new Set<string>()
  const { timeout, retries, mirrors, tls, route, delay, abort } = expect
  for (const { outcome, upstream } of forwards(journey)) {
    const policy = outcome.end.kind === 'forward' ? outcome.end.policy : undefined
    if (timeout !== undefined && policy?.timeoutMs !== timeout)
      said.add(`timeout: ${timeout} ms was expected, it is ${policy?.timeoutMs ?? 'not set'} ms`)
    if (retries !== undefined && (policy?.retries?.attempts ?? 0) !== retries)
      said.add(`retries: ${retries} were expected, there are ${policy?.retries?.attempts ?? 0}`)
    for (const [name, wanted] of Object.entries(mirrors ?? {})) {
      const found =
        policy?.mirrors.filter(({ cluster }) => clusterMeans(name, cluster)).reduce((sum, { share }) => sum + percent(share), 0) ?? 0
      if (differs(found, wanted)) said.add(`mirrors: ${name} gets ${found} %, ${wanted} % was expected`)
    }
    const modes = [
      ...new Set(
        upstream?.endpoints.length ? upstream.endpoints.map((endpoint) => endpoint.tls.mode) : [upstream?.tls.mode ?? 'plaintext'],
      ),
    ]
    if (tls !== undefined && !(modes.length === 1 && modes[0] === tls)) said.add(`tls: ${tls} was expected, it is ${modes.join(' and ')}`)
  }
  if (
    route !== undefined &&
    !journey.legs.every(
      ({ outcome }) =>
        outcome.route?.name === route ||
        outcome.route?.origins.some(({ kind, namespace, name }) => `${kind} ${namespace}/${name}` === route),
    )
  )
    said.add(
      `route: ${route} was expected, ${[...new Set(journey.legs.map(({ outcome }) => outcome.route?.name || outcome.route?.origins[0]?.name || 'none'))].join(' and ')} is taken`,
    )
  if (delay) {
    const found = shareOf(journey.legs.filter(({ outcome }) => outcome.delayMs === delay.ms))
    if (differs(found, delay.percent)) said.add(`delay: ${delay.percent} % by ${delay.ms} ms was expected, it is ${found} %`)
  }
  if (abort) {
    const found = shareOf(
      journey.legs.filter(({ outcome }) => isFault(outcome) && outcome.end.kind === 'answer' && outcome.end.status === abort.status),
    )
    if (differs(found, abort.percent)) said.add(`abort: ${abort.percent} % with ${abort.status} was expected, it is ${found} %`)
  }
  return [...said]
}

/** `outbound|9080|v1|reviews.default.svc.cluster.local` */
function clusterMeans(expected: string, cluster: string): boolean {
  const [, , subset = '', host = ''] = cluster.split('|')
  const [name = '', wanted] = expected.split('/')
  return (host === name || host.startsWith(`${name}.`)) && (wanted === undefined || wanted === subset)
}
