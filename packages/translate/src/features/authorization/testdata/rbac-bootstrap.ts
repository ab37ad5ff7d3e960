/** A listener whose rules deny by one condition, for `envoy --mode validate`; with the limits that proxies of the mesh have. */
export function rbacBootstrap(permission: unknown): unknown {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`
  const rules = { policies: { one: { permissions: [permission], principals: [{ any: true }] } } }
  const httpFilters = [
    { name: 'rbac', typedConfig: { '@type': type('http.rbac.v3.RBAC'), rules } },
    { name: 'router', typedConfig: { '@type': type('http.router.v3.Router') } },
  ]
  const manager = { '@type': type('network.http_connection_manager.v3.HttpConnectionManager'), statPrefix: 'x', routeConfig: {}, httpFilters }
  const address = { socketAddress: { address: '127.0.0.1', portValue: 0 } }
  return {
    layeredRuntime: { layers: [{ name: 'limits', staticLayer: { 're2.max_program_size.error_level': 32768 } }] },
    staticResources: { listeners: [{ name: 'x', address, filterChains: [{ filters: [{ name: 'http', typedConfig: manager }] }] }] },
  }
}
