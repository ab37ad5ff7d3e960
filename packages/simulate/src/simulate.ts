/**
 * Walks a call through the configuration that was generated for a proxy, and only that: there is no second model to be wrong in
 * another way.
 */
import { VirtualHost_TlsRequirementType as Require, type Route } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { RouteConfiguration } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import type { HttpConnectionManager } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { Call, Failure, Outcome } from './call.ts'
import type { Configuration } from './configuration.ts'
import { filterChainFor, isMeshTls, tlsOf } from './filter-chain.ts'
import { listenerFor } from './listener.ts'
import { routeFor, virtualHostFor } from './route.ts'
import { terminalOf } from './terminal-filter.ts'

type Reached = { -readonly [field in keyof Outcome]: Outcome[field] }

/** What becomes of a call. */
export function simulate(configuration: Configuration, call: Call): Outcome {
  const reached: Reached = { ...(call.name !== undefined && { name: call.name }), error: null }
  const fail = (error: Failure): Outcome => ({ ...reached, error })
  const listener = listenerFor(configuration.listeners, call)
  if (!listener) return fail('no-listener')
  reached.listenerMatched = listener.name
  const chain = filterChainFor(listener, { ...call, alpn: call.alpn === '' ? [] : [call.alpn] })
  if (typeof chain === 'string') return fail(chain)
  reached.filterChainMatched = chain.name
  const tls = tlsOf(chain)
  if (tls && call.tls === 'plaintext') return fail('tls-error')
  if (tls && isMeshTls(tls, call.mtlsSecret) !== (call.tls === 'mtls')) return fail('mtls-error')
  const manager = terminalOf(chain)
  if (manager?.kind === 'tcp') {
    reached.clusterMatched = manager.proxy.clusterSpecifier.case === 'cluster' ? manager.proxy.clusterSpecifier.value : ''
    return reached
  }
  if (!manager) return fail('protocol-error')
  if (call.protocol === 'tcp' || (call.tls !== 'plaintext' && !tls)) return fail('protocol-error')
  return { ...reached, ...route(configuration, manager.manager, call) }
}

function route(configuration: Configuration, manager: HttpConnectionManager, call: Call): Outcome {
  const reached: Reached = { error: null }
  const fail = (error: Failure): Outcome => ({ ...reached, error })
  const rds = manager.routeSpecifier.case === 'rds' ? manager.routeSpecifier.value.routeConfigName : ''
  const routes: RouteConfiguration | undefined =
    manager.routeSpecifier.case === 'routeConfig' ? manager.routeSpecifier.value : configuration.routes.get(rds)
  reached.routeConfigMatched = rds
  const hosts = [...(configuration.virtualHosts.get(rds) ?? []), ...(routes?.virtualHosts ?? [])]
  const host = virtualHostFor(hosts, call.hostHeader, routes?.ignorePortInHostMatching ?? false)
  if (!host) return fail('no-virtual-host')
  reached.virtualHostMatched = host.name
  if (host.requireTls === Require.ALL && call.tls === 'plaintext') return fail('tls-redirect')
  const taken = routeFor(host.routes, call.path)
  if (!taken) return fail('no-route')
  return { ...reached, routeMatched: taken.name, clusterMatched: clusterOf(taken) }
}

/** The cluster of a plain forward; empty for weighted clusters, redirects and direct responses. */
function clusterOf({ action }: Route): string {
  return action.case === 'route' && action.value.clusterSpecifier.case === 'cluster' ? action.value.clusterSpecifier.value : ''
}
