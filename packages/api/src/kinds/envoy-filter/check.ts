/** What makes an EnvoyFilter unusable. */
import { ownValue } from '@lateen/base'
import type { At } from '../../diagnostics/at.ts'
import { checkNetworkingSelector } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { regexProblem } from '../../validation/values.ts'
import type { EnvoyConfigObjectMatch, EnvoyConfigObjectPatch, EnvoyFilterSpec, FilterMatch } from './envoy-filter.ts'

export function checkEnvoyFilter({ spec, at, top }: Subject<EnvoyFilterSpec>): void {
  top.say('EnvoyFilterInUse')
  if (!checkNetworkingSelector(spec.workloadSelector, at.in('workloadSelector'))) return
  at.in('configPatches').each(spec.configPatches, checkPatch)
}

/** The first fault of a patch ends its check: what follows would only repeat it. */
function checkPatch({ applyTo = 'INVALID', match, patch }: EnvoyConfigObjectPatch, at: At): void {
  if (applyTo === 'INVALID') return at.in('applyTo').say('ApplyToMissing')
  // Waypoints are matched by other means, and Istio lets an entry without a patch pass there.
  if (!patch) return at.in('patch').say(match?.context === 'WAYPOINT' ? 'PatchUseless' : 'PatchMissing')
  const { operation = 'INVALID', value } = patch
  if (operation === 'INVALID') return at.in('patch', 'operation').say('OperationNotSet')
  if (operation !== 'REMOVE' && !value) return at.in('patch', 'value').say('PatchValueMissing', { operation })
  const version = match?.proxy?.proxyVersion
  const problem = version ? regexProblem(version) : undefined
  if (problem !== undefined) return at.in('match', 'proxy', 'proxyVersion').say('ProxyVersionRegex', { problem })
  if (!checkMatch(applyTo, match, at.in('match'))) return
  const name = value?.name
  if (name !== undefined && typeof name !== 'string')
    at.in('patch', 'value', 'name').say('PatchType', { found: JSON.stringify(name), wanted: 'a text' })
  for (const type of oldTypes(value)) at.in('patch', 'value').say('EnvoyV2Type', { type })
}

/** Types of Envoy's v2 API, at any depth. */
function oldTypes(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '@type' && typeof inner === 'string' ? (/\.v2(alpha\d*)?\./.test(inner) ? [inner] : []) : oldTypes(inner),
  )
}

const CLASSES: Readonly<Record<string, 'listener' | 'routeConfiguration' | 'cluster'>> = {
  LISTENER: 'listener',
  FILTER_CHAIN: 'listener',
  NETWORK_FILTER: 'listener',
  HTTP_FILTER: 'listener',
  ROUTE_CONFIGURATION: 'routeConfiguration',
  VIRTUAL_HOST: 'routeConfiguration',
  HTTP_ROUTE: 'routeConfiguration',
  CLUSTER: 'cluster',
}

function checkMatch(applyTo: string, match: EnvoyConfigObjectMatch | undefined, at: At): boolean {
  const wanted = CLASSES[applyTo]
  const found = (['listener', 'routeConfiguration', 'cluster', 'waypoint'] as const).find((kind) => match?.[kind] !== undefined)
  if (!wanted || !found) return true
  if (found === 'waypoint' && match?.context === 'WAYPOINT') return true
  if (found !== wanted) {
    at.in(found).say('PatchMatchClass', { applyTo, wanted: `a match by ${wanted}`, found })
    return false
  }
  const filter = match?.listener?.filterChain?.filter
  return wanted !== 'listener' || !filter || checkFilter(applyTo, filter, at.in('listener', 'filterChain', 'filter'))
}

const MANAGER = 'envoy.filters.network.http_connection_manager'
const OLD_MANAGER = 'envoy.http_connection_manager'

function checkFilter(applyTo: string, { name, subFilter }: FilterMatch, at: At): boolean {
  if (applyTo === 'LISTENER' || applyTo === 'FILTER_CHAIN') at.say('FilterMatchUseless', { applyTo })
  if (!name) {
    at.in('name').say('FilterNameMissing')
    return false
  }
  if (subFilter) {
    const place = at.in('subFilter')
    if (applyTo !== 'HTTP_FILTER') place.say('SubFilterApplyTo')
    else if (name !== MANAGER && name !== OLD_MANAGER) place.say('SubFilterParent')
    else if (!subFilter.name) place.in('name').say('FilterNameMissing')
    else return sayOldName(subFilter.name, place) && sayOldName(name, at)
    return false
  }
  return sayOldName(name, at)
}

/** Names from before Envoy's filters got their namespaces. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  'envoy.buffer': 'envoy.filters.http.buffer',
  'envoy.cors': 'envoy.filters.http.cors',
  'envoy.csrf': 'envoy.filters.http.csrf',
  'envoy.ext_authz': 'envoy.filters.http.ext_authz',
  'envoy.fault': 'envoy.filters.http.fault',
  'envoy.grpc_http1_bridge': 'envoy.filters.http.grpc_http1_bridge',
  'envoy.grpc_json_transcoder': 'envoy.filters.http.grpc_json_transcoder',
  'envoy.grpc_web': 'envoy.filters.http.grpc_web',
  'envoy.gzip': 'envoy.filters.http.gzip',
  'envoy.health_check': 'envoy.filters.http.health_check',
  'envoy.ip_tagging': 'envoy.filters.http.ip_tagging',
  'envoy.lua': 'envoy.filters.http.lua',
  'envoy.rate_limit': 'envoy.filters.http.ratelimit',
  'envoy.router': 'envoy.filters.http.router',
  'envoy.squash': 'envoy.filters.http.squash',
  'envoy.listener.http_inspector': 'envoy.filters.listener.http_inspector',
  'envoy.listener.original_dst': 'envoy.filters.listener.original_dst',
  'envoy.listener.original_src': 'envoy.filters.listener.original_src',
  'envoy.listener.proxy_protocol': 'envoy.filters.listener.proxy_protocol',
  'envoy.listener.tls_inspector': 'envoy.filters.listener.tls_inspector',
  'envoy.client_ssl_auth': 'envoy.filters.network.client_ssl_auth',
  'envoy.echo': 'envoy.filters.network.echo',
  [OLD_MANAGER]: MANAGER,
  'envoy.mongo_proxy': 'envoy.filters.network.mongo_proxy',
  'envoy.ratelimit': 'envoy.filters.network.ratelimit',
  'envoy.redis_proxy': 'envoy.filters.network.redis_proxy',
  'envoy.tcp_proxy': 'envoy.filters.network.tcp_proxy',
}

function sayOldName(name: string, at: At): boolean {
  const better = ownValue(OLD_NAMES, name)
  if (better !== undefined) at.in('name').say('DeprecatedFilterName', { name, better })
  return true
}
