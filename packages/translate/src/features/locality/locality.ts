/**
 * `localityLbSetting` of a DestinationRule or the mesh: endpoints near the client first (failover), or shares by locality
 * (distribute). Failover needs outlier detection, without which nothing says that the near ones have failed; a service that asks
 * for near endpoints by itself (`trafficDistribution`) has them first without it.
 */
import type { LocalityLoadBalancerSetting, TrafficPolicy } from '@lateen/api'
import {
  type Endpoint,
  endpointLabel,
  type Locality,
  localityText,
  type MeshSettings,
  type Place,
  parseLocality,
  placeLabel,
  type Service,
} from '@lateen/model'

/** The client, as far as nearness goes. */
export interface Near extends Place {
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
  const setting = near && settingOf(policy, service, settings)
  if (!setting) return undefined
  const { distribute, failover, failoverPriority } = setting
  if (distribute?.length) {
    const share = distribute.find((entry) => covers(entry.from ?? '', near.locality))
    return share ? { weights: (endpoints) => weightsOf(share.to ?? {}, endpoints) } : undefined
  }
  if (!fails(policy, setting)) return undefined
  const byPlace = placePriority(failover, near)
  if (!failoverPriority?.length) return near.locality.region === '' ? undefined : { priority: byPlace }
  const byLabels = (endpoint: Endpoint) => labelDistance(failoverPriority, near, endpoint)
  return { priority: failover?.length ? (endpoint) => byLabels(endpoint) * PLACES + byPlace(endpoint) : byLabels }
}

/** Whether what is said of a service looks at where its clients are at all. */
export function asksForNearness(policy: TrafficPolicy, service: Service, settings: MeshSettings): boolean {
  const setting = settingOf(policy, service, settings)
  return setting !== undefined && (Boolean(setting.distribute?.length) || fails(policy, setting))
}

/** Whether the client's node matters: some rank is by it, or only endpoints on it count. */
export function asksForNode(policy: TrafficPolicy, service: Service, settings: MeshSettings): boolean {
  if (service.internalTrafficPolicy === 'Local') return true
  const setting = settingOf(policy, service, settings)
  return setting !== undefined && fails(policy, setting) && Boolean(setting.failoverPriority?.includes(NODE))
}

/** Whether Envoy is to look at the weights of localities: only where somebody has spoken of localities. */
export function weighsLocalities(policy: TrafficPolicy, service: Service, settings: MeshSettings): boolean {
  const setting = settingOf(policy, service, settings)
  if (!setting) return false
  if (setting.distribute?.length) return true
  return fails(policy, setting) && Boolean(setting.failover?.length || setting.failoverPriority?.length)
}

interface Setting extends Pick<LocalityLoadBalancerSetting, 'distribute' | 'failover' | 'failoverPriority'> {
  /** Ranks hold also where nothing tells that a host has failed. */
  readonly always?: boolean
}

const fails = (policy: TrafficPolicy, setting: Setting): boolean => setting.always === true || policy.outlierDetection !== undefined

/** The rule's own setting stands in place of what the service asks for, and that in place of the mesh's; none where turned off. */
function settingOf(policy: TrafficPolicy, service: Service, settings: MeshSettings): Setting | undefined {
  const own = policy.loadBalancer?.localityLbSetting
  if (own) return own.enabled === false ? undefined : own
  const asked = DISTRIBUTIONS[service.trafficDistribution ?? '']
  if (asked) return { failoverPriority: asked, always: true }
  const mesh = settings.mesh.localityLbSetting
  return mesh?.enabled === false ? undefined : (mesh ?? {})
}

const NODE = 'kubernetes.io/hostname'
const ZONE = ['topology.istio.io/network', 'topology.kubernetes.io/region', 'topology.kubernetes.io/zone']
const DISTRIBUTIONS: Readonly<Record<string, string[]>> = {
  PreferSameZone: ZONE,
  PreferSameNode: [...ZONE, 'topology.istio.io/subzone', NODE],
}

const OTHER_REGION = 3

/** Ranks that a place can have. */
const PLACES = 5

/** 0 to 3 by how much of the locality is shared; 4 for regions that are not the one to fail over to. */
function placePriority(failover: LocalityLoadBalancerSetting['failover'], near: Near): (endpoint: Endpoint) => number {
  const region = failover?.find((entry) => entry.from === near.locality.region)?.to
  return (endpoint) => {
    const far = distance(near.locality, endpoint.locality)
    return far === OTHER_REGION && region !== undefined && endpoint.locality.region !== region ? far + 1 : far
  }
}

function distance(own: Locality, other: Locality): number {
  if (own.region !== other.region) return OTHER_REGION
  if (own.zone !== other.zone) return 2
  return own.subzone === other.subzone ? 0 : 1
}

/** How many labels, from the last, an endpoint is away: it counts up to the first that differs. */
function labelDistance(labels: readonly string[], near: Near, endpoint: Endpoint): number {
  const differs = labels.findIndex((text) => {
    const [name = '', wanted] = text.split('=', 2)
    return (endpointLabel(endpoint, name) ?? '') !== (wanted ?? placeLabel(name, near) ?? near.labels[name] ?? '')
  })
  return differs < 0 ? 0 : labels.length - differs
}

/** `region/zone/*` covers every subzone of a zone; a part that is left out covers all. */
function covers(pattern: string, locality: Locality): boolean {
  const { region, zone, subzone } = parseLocality(pattern)
  const fits = (part: string, value: string) => part === '' || part === '*' || part === value
  return fits(region, locality.region) && fits(zone, locality.zone) && fits(subzone, locality.subzone)
}

/** A share that several localities have in common is split by the weights of their endpoints; a share of 0 is none. */
function weightsOf(shares: Readonly<Record<string, number>>, endpoints: readonly Endpoint[]): ReadonlyMap<string, number> {
  const own = new Map<string, { locality: Locality; weight: number }>()
  for (const endpoint of endpoints) {
    const key = localityText(endpoint.locality)
    own.set(key, { locality: endpoint.locality, weight: (own.get(key)?.weight ?? 0) + endpoint.weight })
  }
  const weights = new Map<string, number>()
  const taken = new Set<string>()
  for (const [pattern, share] of Object.entries(shares).sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1))) {
    const covered = [...own].filter(([key, { locality }]) => !taken.has(key) && covers(pattern, locality))
    const total = covered.reduce((sum, [, { weight }]) => sum + weight, 0)
    for (const [key, { weight }] of covered) {
      taken.add(key)
      if (share > 0) weights.set(key, Math.ceil((share * weight) / total))
    }
  }
  return weights
}

/** Labels that some `failoverPriority` names without giving a value: of the client they are asked. */
export const askedLabels = (setting: LocalityLoadBalancerSetting | undefined): readonly string[] =>
  (setting?.failoverPriority ?? []).filter((text) => !text.includes('='))
