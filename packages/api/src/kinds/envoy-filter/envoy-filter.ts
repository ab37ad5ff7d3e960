/** EnvoyFilter: changes to generated Envoy configuration. */
import { targetRefs } from '../../messages/target-reference.ts'
import { NetworkingWorkloadSelector } from '../../messages/workload-selector.ts'
import { free, int32, list, map, message, of, oneOf, type Static, text, uint32 } from '../../schema/define.ts'
import { defineKind, versions } from '../kind.ts'

export const ProxyMatch = message('ProxyMatch', {
  proxyVersion: text('RE2 expression for the version of the proxy.'),
  metadata: map(text(), 'Values that the node metadata of the proxy must have.'),
})
export interface ProxyMatch extends Static<typeof ProxyMatch> {}

export const ClusterMatch = message('ClusterMatch', {
  portNumber: uint32('Port of the service.'),
  service: text('Full name of the service.'),
  subset: text('Subset of the service.'),
  name: text('Exact name of the cluster.'),
})
export interface ClusterMatch extends Static<typeof ClusterMatch> {}

export const EnvoyFilterRouteMatch = message('EnvoyFilterRouteMatch', {
  name: text('Name of the route.'),
  action: oneOf(['ANY', 'ROUTE', 'REDIRECT', 'DIRECT_RESPONSE'], 'What the route does.'),
})
export interface EnvoyFilterRouteMatch extends Static<typeof EnvoyFilterRouteMatch> {}

export const VirtualHostMatch = message('VirtualHostMatch', {
  name: text('Name of the virtual host, host:port.'),
  domainName: text('A domain of the virtual host.'),
  route: of(EnvoyFilterRouteMatch, 'One route of it.'),
})
export interface VirtualHostMatch extends Static<typeof VirtualHostMatch> {}

export const RouteConfigurationMatch = message('RouteConfigurationMatch', {
  portNumber: uint32('Port of the gateway or service.'),
  portName: text('Name of the port; for gateways.'),
  gateway: text('namespace/name of the Gateway.'),
  vhost: of(VirtualHostMatch, 'One virtual host of it.'),
  name: text('Exact name of the route configuration.'),
})
export interface RouteConfigurationMatch extends Static<typeof RouteConfigurationMatch> {}

export const SubFilterMatch = message('SubFilterMatch', { name: text('Name of the HTTP filter.') })
export interface SubFilterMatch extends Static<typeof SubFilterMatch> {}

export const FilterMatch = message('FilterMatch', {
  name: text('Name of the network filter.'),
  subFilter: of(SubFilterMatch, 'A filter within it; only for the HTTP connection manager.'),
})
export interface FilterMatch extends Static<typeof FilterMatch> {}

export const FilterChainMatch = message('FilterChainMatch', {
  name: text('Name of the filter chain.'),
  sni: text('Server name of its match.'),
  transportProtocol: text('raw_buffer or tls.'),
  applicationProtocols: text('Application protocols of its match, separated by commas.'),
  filter: of(FilterMatch, 'A filter of the chain.'),
  destinationPort: uint32('Destination port of its match.'),
})
export interface FilterChainMatch extends Static<typeof FilterChainMatch> {}

export const ListenerMatch = message('ListenerMatch', {
  portNumber: uint32('Port of the listener or service.'),
  portName: text('Not used.'),
  filterChain: of(FilterChainMatch, 'One filter chain of it.'),
  listenerFilter: text('Name of a listener filter.'),
  name: text('Exact name of the listener.'),
})
export interface ListenerMatch extends Static<typeof ListenerMatch> {}

const WaypointRouteMatch = message('WaypointRouteMatch', { name: text('Name of the route.') })

export const WaypointMatch = message('WaypointMatch', {
  portNumber: uint32('Port of the service.', { rules: [{ rule: '0 < self && self <= 65535', message: 'a port is between 1 and 65535' }] }),
  filter: of(FilterMatch, 'A filter.'),
  route: of(WaypointRouteMatch, 'A route.'),
})
export interface WaypointMatch extends Static<typeof WaypointMatch> {}

export const EnvoyConfigObjectMatch = message(
  'EnvoyConfigObjectMatch',
  {
    context: oneOf(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY', 'WAYPOINT'], 'Which traffic the configuration is for.'),
    proxy: of(ProxyMatch, 'Which proxies.'),
    listener: of(ListenerMatch, 'Which listener.'),
    routeConfiguration: of(RouteConfigurationMatch, 'Which route configuration.'),
    cluster: of(ClusterMatch, 'Which cluster.'),
    waypoint: of(WaypointMatch, 'Which part of a waypoint.'),
  },
  {
    oneOfs: [['listener', 'routeConfiguration', 'cluster', 'waypoint']],
    rules: [
      {
        rule: "(has(self.context) && self.context == 'WAYPOINT') ? (has(self.waypoint) || !(has(self.listener) || has(self.routeConfiguration) || has(self.cluster))) : !has(self.waypoint)",
        message: 'a match by waypoint goes with context WAYPOINT, and no other match does',
      },
    ],
  },
)
export interface EnvoyConfigObjectMatch extends Static<typeof EnvoyConfigObjectMatch> {}

export const EnvoyFilterPatch = message('EnvoyFilterPatch', {
  operation: oneOf(['INVALID', 'MERGE', 'ADD', 'REMOVE', 'INSERT_BEFORE', 'INSERT_AFTER', 'INSERT_FIRST', 'REPLACE'], 'What is done.'),
  value: free('Envoy configuration to merge or insert.'),
  filterClass: oneOf(['UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'], 'Where an added HTTP filter stands in the chain.'),
})
export interface EnvoyFilterPatch extends Static<typeof EnvoyFilterPatch> {}

export const APPLY_TO = [
  'INVALID',
  'LISTENER',
  'FILTER_CHAIN',
  'NETWORK_FILTER',
  'HTTP_FILTER',
  'ROUTE_CONFIGURATION',
  'VIRTUAL_HOST',
  'HTTP_ROUTE',
  'CLUSTER',
  'EXTENSION_CONFIG',
  'BOOTSTRAP',
  'LISTENER_FILTER',
] as const

export const EnvoyConfigObjectPatch = message('EnvoyConfigObjectPatch', {
  applyTo: oneOf(APPLY_TO, 'Which kind of configuration is changed.'),
  match: of(EnvoyConfigObjectMatch, 'Which objects of that kind.'),
  patch: of(EnvoyFilterPatch, 'The change.'),
})
export interface EnvoyConfigObjectPatch extends Static<typeof EnvoyConfigObjectPatch> {}

export const EnvoyFilterSpec = message(
  'EnvoyFilter',
  {
    workloadSelector: of(NetworkingWorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    targetRefs: targetRefs(),
    configPatches: list(of(EnvoyConfigObjectPatch), 'The changes, in order.'),
    priority: int32('Order among EnvoyFilters; lower comes first, 0 when unset.'),
  },
  {
    rules: [
      {
        rule: '(has(self.workloadSelector) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1',
        message: 'at most one of workloadSelector, targetRefs may be set',
      },
    ],
  },
)
export interface EnvoyFilterSpec extends Static<typeof EnvoyFilterSpec> {}

export const EnvoyFilterKind = defineKind({
  group: 'networking.istio.io',
  kind: 'EnvoyFilter',
  plural: 'envoyfilters',
  versions: versions('v1alpha3'),
  description: 'Changes to the Envoy configuration that the control plane makes.',
  spec: EnvoyFilterSpec,
})
