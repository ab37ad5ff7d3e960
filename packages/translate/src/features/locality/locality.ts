/**
 * `localityLbSetting` of a DestinationRule or the mesh: endpoints near the client first (failover), or shares by locality
 * (distribute). Failover needs outlier detection, without which nothing says that the near ones have failed.
 */
import type { LocalityLoadBalancerSetting, TrafficPolicy } from '@lateen/api'
import { type Endpoint, type Locality, localityText, type MeshSettings, parseLocality, type Service } from '@lateen/model'

/** The client, as far as nearness goes. */
export interface Near {
  readonly locality: Locality
  /** Labels that a `failoverPriority` names. */
  readonly labels: Readonly<Record<string, string>>
}

export interface Nearness {
  /** 0 is used first; the next only when those before it have failed. */
  readonly priority?: (endpoint: Endpoint) => number
  /** Weights of the localities that get a share, by their text; others get nothing. */
  readonly weights?: (endpoints: readonly Endpoint[]) => ReadonlyMap<string, number>
}

/** How the endpoints of a port are ranked for a client; undefined when all are alike. */
export function nearnessOf(policy: TrafficPolicy, service: Service, settings: MeshSettings, near: Near | undefined): Nearness | undefined {
  const setting = settingOf(policy, settings)
  if (!near || (near.locality.region === '' && !setting?.failoverPriority?.length)) return undefined
  if (setting?.enabled === false) return undefined
  const share = setting?.distribute?.find((entry) => covers(entry.from ?? '', near.locality))
  if (setting?.distribute?.length) return share ? { weights: (endpoints) => weightsOf(share.to ?? {}, endpoints) } : undefined
  if (!policy.outlierDetection)
    return prefersClose(service) ? { priority: (endpoint) => distance(near.locality, endpoint.locality) } : undefined
  const labels = setting?.failoverPriority
  if (labels?.length) return { priority: (endpoint) => labelDistance(labels, near, endpoint) }
  const region = setting?.failover?.find((entry) => entry.from === near.locality.region)?.to
  return {
    priority: (endpoint) => {
      const far = distance(near.locality, endpoint.locality)
      return far === OTHER_REGION && region !== undefined && endpoint.locality.region !== region ? far + 1 : far
    },
  }
}

/** Whether a policy, or the mesh behind it, looks at the client's locality at all. */
export function asksForNearness(policy: TrafficPolicy, service: Service, settings: MeshSettings): boolean {
  const setting = settingOf(policy, settings)
  if (setting?.enabled === false) return false
  return Boolean(setting?.distribute?.length) || policy.outlierDetection !== undefined || prefersClose(service)
}

/** The rule's own setting stands in place of the mesh's. */
const settingOf = (policy: TrafficPolicy, settings: MeshSettings): LocalityLoadBalancerSetting | undefined =>
  policy.loadBalancer?.localityLbSetting ?? settings.mesh.localityLbSetting

const prefersClose = (service: Service): boolean =>
  service.trafficDistribution === 'PreferClose' || service.trafficDistribution === 'PreferSameZone'

const OTHER_REGION = 3

function distance(own: Locality, other: Locality): number {
  if (own.region !== other.region) return OTHER_REGION
  if (own.zone !== other.zone) return 2
  return own.subzone === other.subzone ? 0 : 1
}

/** How many labels, from the last, an endpoint is away: it counts up to the first that differs. */
function labelDistance(labels: readonly string[], near: Near, endpoint: Endpoint): number {
  const differs = labels.findIndex((text) => {
    const [name = '', wanted] = text.split('=', 2)
    return labelOf(name, endpoint.labels, endpoint.locality, endpoint.network) !== (wanted ?? labelOf(name, near.labels, near.locality, ''))
  })
  return differs < 0 ? 0 : labels.length - differs
}

function labelOf(name: string, labels: Readonly<Record<string, string>>, locality: Locality, network: string): string | undefined {
  switch (name) {
    case 'topology.kubernetes.io/region':
      return locality.region
    case 'topology.kubernetes.io/zone':
      return locality.zone
    case 'topology.istio.io/subzone':
      return locality.subzone
    case 'topology.istio.io/network':
      return labels[name] ?? network
    default:
      return labels[name]
  }
}

/** `region/zone/*` covers every subzone of a zone; a part that is left out covers all. */
function covers(pattern: string, locality: Locality): boolean {
  const { region, zone, subzone } = parseLocality(pattern)
  const fits = (part: string, value: string) => part === '' || part === '*' || part === value
  return fits(region, locality.region) && fits(zone, locality.zone) && fits(subzone, locality.subzone)
}

/** A share that several localities have in common is split by the weights of their endpoints. */
function weightsOf(shares: Readonly<Record<string, number>>, endpoints: readonly Endpoint[]): ReadonlyMap<string, number> {
  const own = new Map<string, { locality: Locality; weight: number }>()
  for (const endpoint of endpoints) {
    const key = localityText(endpoint.locality)
    own.set(key, { locality: endpoint.locality, weight: (own.get(key)?.weight ?? 0) + endpoint.weight })
  }
  const weights = new Map<string, number>()
  for (const [pattern, share] of Object.entries(shares).sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1))) {
    const covered = [...own].filter(([key, { locality }]) => !weights.has(key) && covers(pattern, locality))
    const total = covered.reduce((sum, [, { weight }]) => sum + weight, 0)
    for (const [key, { weight }] of covered) weights.set(key, Math.max(1, Math.ceil((share * weight) / total)))
  }
  return weights
}

/** Labels that some `failoverPriority` names without giving a value: of the client they are asked. */
export const askedLabels = (setting: LocalityLoadBalancerSetting | undefined): readonly string[] =>
  (setting?.failoverPriority ?? []).filter((text) => !text.includes('='))
