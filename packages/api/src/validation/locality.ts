/** The check of locality load balancing, of a DestinationRule or the mesh. */
import type { At } from '../diagnostics/at.ts'
import type { LocalityLoadBalancerSetting } from '../messages/locality-lb-setting.ts'

const TOPOLOGY_LABELS = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone']

export function checkLocality(
  setting: LocalityLoadBalancerSetting | undefined,
  at: At,
  { outlierDetection }: { readonly outlierDetection: boolean },
): void {
  if (!setting) return
  const { distribute = [], failover = [], failoverPriority = [] } = setting
  if (distribute.length > 0 && failover.length > 0) return at.say('LocalityConflict', { first: 'distribute', second: 'failover' })
  if (failover.length > 0 && failoverPriority.some((label) => TOPOLOGY_LABELS.includes(label))) {
    return at.say('LocalityConflict', { first: 'failover', second: 'a topology label in failoverPriority' })
  }
  for (const [i, { to = {} }] of distribute.entries()) {
    const place = at.in('distribute').at(i).in('to')
    const wrong = Object.values(to).find((weight) => weight < 1 || weight > 100)
    if (wrong !== undefined) return place.say('LocalityWeight', { weight: wrong })
    const total = Object.values(to).reduce((sum, weight) => sum + weight, 0)
    if (total !== 100) return place.say('LocalityTotal', { total })
    checkLocalities(Object.keys(to), place)
  }
  checkLocalities(
    distribute.map(({ from }) => from ?? ''),
    at.in('distribute'),
  )
  if ((failover.length > 0 || failoverPriority.length > 0) && !outlierDetection) at.say('FailoverNeedsOutlier')
  at.in('failover').each(failover, ({ from = '', to = '' }, place) => {
    if (from === to) place.say('FailoverSame', { region: from })
    const bad = [from, to].find((region) => /[/*]/.test(region))
    if (bad !== undefined) place.say('FailoverRegion', { region: bad })
  })
}

/** Localities are well formed and do not cover each other; the first fault is said. */
function checkLocalities(localities: readonly string[], at: At): void {
  const seen: string[][] = []
  for (const locality of localities) {
    const stars = locality.split('*').length - 1
    const parts = locality.split('/')
    const [region = '', zone = ''] = parts
    const place = parts.length > 3 ? [region, zone, parts.slice(2).join('/')] : parts
    if (stars > 1 || (stars === 1 && !locality.endsWith('*')) || place.includes('')) return at.say('LocalityBad', { locality })
    if (seen.some((other) => covers(other, place))) return at.say('LocalityOverlap', { locality })
    seen.push(place)
  }
}

/** Whether an earlier locality already holds a later one: a shorter one holds all beneath it. */
function covers(earlier: readonly string[], later: readonly string[]): boolean {
  if (earlier[0] === '*') return true
  if (earlier.length > later.length) return later.length === 1 ? earlier[0] === later[0] : later.every((part, i) => part === earlier[i])
  return earlier.every((part, i) => part === later[i] || (part === '*' && i === earlier.length - 1))
}
