/** What the mesh configuration and the program's own settings say that translation depends on. */
import type {
  ClientTLSSettings,
  ExtensionProvider,
  HTTPRetry,
  LocalityLoadBalancerSetting,
  MeshProxyConfig,
  TcpKeepalive,
} from '@lateen/api'
import type { TlsPolicy } from '@lateen/base'
import type { ProxyTraffic } from './proxy-traffic.ts'

/** The part of MeshConfig that is read, with its defaults filled in, and the identity of this control plane. */
export interface MeshSettings {
  readonly clusterId: string
  /** DNS suffix of services: `cluster.local`. */
  readonly domain: string
  readonly rootNamespace: string
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  /** Other meshes' trust domains whose authorities are known: their workloads may come in, as themselves. */
  readonly federatedDomains: readonly string[]
  /** The mesh configuration as given, merged over the defaults; fields by their JSON names. */
  readonly mesh: MeshConfigView
  readonly networks: unknown
  readonly switches: MeshSwitches
  /** How the proxies that are spoken of pass requests on: the mesh's defaults, or what a class of proxies has instead. */
  readonly traffic: ProxyTraffic
}

/** What is set for the whole control plane, outside the mesh configuration. */
export interface MeshSwitches {
  /** Who fetches public keys: the control plane, the proxies where a service of the mesh has the keys, or always the proxies. */
  readonly keysFetchedBy: 'control-plane' | 'proxy-where-possible' | 'proxy'
  /** CUSTOM policies for one workload may name different providers. */
  readonly severalAuthorizers: boolean
  /** AuthorizationPolicies that do not say otherwise mean every spelling of what they keep out. */
  readonly everySpelling: boolean
  /** What stands above all that objects and the mesh configuration say of TLS. */
  readonly tlsPolicy: TlsPolicy | undefined
  /** Gateways concern only workloads of their own namespace. */
  readonly gatewaysOfOwnNamespace: boolean
  /** HTTPS servers of gateways take HTTP/3 as well, where a service of the gateway has the port for UDP. */
  readonly http3: boolean
  /** Every proxy takes HTTP/1.0 too, and finds it out where it has to. */
  readonly http10: boolean
  /** Proxies with addresses of both families listen on both. */
  readonly dualStack: boolean
  /** Endpoints that are not ready are named too, as such: clients decide. */
  readonly sendsUnhealthy: boolean
  /** Clusters count how much of their limits is left. */
  readonly tracksRemaining: boolean
  /** Clusters weigh localities, whether or not a rule says anything of them. */
  readonly weighsLocalities: boolean
  /** Sidecars take the caller's address from the connection. */
  readonly usesRemoteAddress: boolean
  /** Answers of 100 (`Continue`) come from the application. */
  readonly passesContinue: boolean
  /** Hosts are also known by their name with the last dot. */
  readonly dottedHosts: boolean
  /** ServiceEntries without an address are given one, which their status says and every proxy that captures DNS knows; else only who asks. */
  readonly allocatesAddresses: boolean
  /** Ingress listeners of a Sidecar stand beside the services' ports, not in their place. */
  readonly mergesIngress: boolean
  /** Connections that a listener takes at once before it looks at others; 0 for all there are. */
  readonly acceptedAtOnce: number
  /** Milliseconds for a handshake with a gateway; 0 for no limit. */
  readonly gatewayHandshake: number
  /** Milliseconds by which resolving names is shifted, so that clients do not ask all at once. */
  readonly dnsJitter: number
  /** Queries after which the resolver takes another local port. */
  readonly dnsMostQueries: number
}

export const DEFAULT_SWITCHES: MeshSwitches = {
  keysFetchedBy: 'control-plane',
  severalAuthorizers: false,
  everySpelling: false,
  tlsPolicy: undefined,
  gatewaysOfOwnNamespace: false,
  http3: false,
  http10: false,
  dualStack: false,
  sendsUnhealthy: false,
  tracksRemaining: false,
  weighsLocalities: false,
  usesRemoteAddress: false,
  passesContinue: true,
  dottedHosts: true,
  allocatesAddresses: true,
  mergesIngress: false,
  acceptedAtOnce: 1,
  gatewayHandshake: 15_000,
  dnsJitter: 100,
  dnsMostQueries: 100,
}

/** TLS versions and ciphers of a kind of connection. */
export interface TlsSettingsView {
  readonly minProtocolVersion?: string
  readonly cipherSuites?: readonly string[]
  readonly ecdhCurves?: readonly string[]
}

/** The fields of MeshConfig that translation reads. */
export interface MeshConfigView {
  /** Names of providers; those of metrics where calls are counted. */
  readonly defaultProviders?: { readonly metrics?: readonly string[] }
  readonly connectTimeout?: string
  readonly protocolDetectionTimeout?: string
  readonly outboundTrafficPolicy?: {
    readonly mode?: 'ALLOW_ANY' | 'REGISTRY_ONLY' | 'ALLOW_ANY_DYNAMIC_DNS'
    /** Of connections to hosts that are resolved as they are asked for. */
    readonly tls?: ClientTLSSettings
  }
  readonly inboundTrafficPolicy?: { readonly mode?: 'PASSTHROUGH' | 'LOCALHOST' }
  readonly enableAutoMtls?: boolean
  readonly defaultServiceExportTo?: readonly string[]
  readonly defaultVirtualServiceExportTo?: readonly string[]
  readonly defaultDestinationRuleExportTo?: readonly string[]
  readonly accessLogFile?: string
  readonly accessLogFormat?: string
  readonly accessLogEncoding?: 'TEXT' | 'JSON'
  readonly localityLbSetting?: LocalityLoadBalancerSetting
  readonly tcpKeepalive?: TcpKeepalive
  readonly h2UpgradePolicy?: 'DO_NOT_UPGRADE' | 'UPGRADE'
  readonly defaultHttpRetryPolicy?: HTTPRetry
  readonly pathNormalization?: { readonly normalization?: string }
  readonly meshMTLS?: TlsSettingsView
  readonly tlsDefaults?: TlsSettingsView
  readonly dnsRefreshRate?: string
  readonly outboundClusterStatName?: string
  readonly inboundClusterStatName?: string
  readonly proxyListenPort?: number
  /** Port of a listener that is an HTTP proxy; 0 for none. */
  readonly proxyHttpPort?: number
  /** Listeners log nothing of connections that no filter chain takes. */
  readonly disableEnvoyListenerLog?: boolean
  readonly proxyInboundListenPort?: number
  readonly trustDomain?: string
  readonly trustDomainAliases?: readonly string[]
  readonly caCertificates?: readonly { readonly trustDomains?: readonly string[] }[]
  readonly rootNamespace?: string
  readonly extensionProviders?: readonly ExtensionProvider[]
  readonly ingressControllerMode?: 'OFF' | 'DEFAULT' | 'STRICT'
  readonly ingressClass?: string
  readonly ingressService?: string
  readonly ingressSelector?: string
  /** Settings of proxies that bring none of their own. */
  readonly defaultConfig?: MeshProxyConfig
}

/** The port to which outgoing connections are captured. */
export const outboundPort = ({ proxyListenPort }: MeshConfigView): number => proxyListenPort || 15001

/** The port to which incoming connections are captured. */
export const inboundPort = ({ proxyInboundListenPort }: MeshConfigView): number => proxyInboundListenPort || 15006
