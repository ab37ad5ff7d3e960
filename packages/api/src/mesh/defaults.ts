/** What holds when the mesh configuration is silent. */
import type { MeshConfig } from './mesh-config.ts'
import type { MeshProxyConfig } from './mesh-proxy-config.ts'

const PROXY: MeshProxyConfig = {
  configPath: './etc/istio/proxy',
  binaryPath: '/usr/local/bin/envoy',
  serviceCluster: 'istio-proxy',
  drainDuration: '45s',
  terminationDrainDuration: '5s',
  discoveryAddress: 'istiod.istio-system.svc:15012',
  proxyAdminPort: 15_000,
  controlPlaneAuthPolicy: 'MUTUAL_TLS',
  statNameLength: 189,
  statusPort: 15_020,
}

const MESH: MeshConfig & { readonly defaultConfig: MeshProxyConfig } = {
  proxyListenPort: 15_001,
  proxyInboundListenPort: 15_006,
  connectTimeout: '10s',
  protocolDetectionTimeout: '0s',
  ingressClass: 'istio',
  ingressService: 'istio-ingressgateway',
  ingressControllerMode: 'STRICT',
  enableTracing: true,
  defaultConfig: PROXY,
  outboundTrafficPolicy: { mode: 'ALLOW_ANY' },
  inboundTrafficPolicy: {},
  enableAutoMtls: true,
  trustDomain: 'cluster.local',
  defaultServiceExportTo: ['*'],
  defaultVirtualServiceExportTo: ['*'],
  defaultDestinationRuleExportTo: ['*'],
  rootNamespace: 'istio-system',
  localityLbSetting: { enabled: true },
  dnsRefreshRate: '60s',
  enablePrometheusMerge: true,
  extensionProviders: [
    { name: 'prometheus', prometheus: {} },
    { name: 'stackdriver', stackdriver: {} },
    { name: 'envoy', envoyFileAccessLog: { path: '/dev/stdout' } },
  ],
  defaultProviders: {},
}

/** The mesh configuration without any setting of the user's. */
export function defaultMeshConfig(): MeshConfig & { readonly defaultConfig: MeshProxyConfig } {
  return MESH
}

/** The proxy configuration without any setting of the user's. */
export function defaultProxyConfig(): MeshProxyConfig {
  return PROXY
}
