/** What the mesh configuration and the program's own settings say that translation depends on. */
import type { HTTPRetry, LocalityLoadBalancerSetting, TcpKeepalive } from '@lateen/api'

/** The part of MeshConfig that is read, with its defaults filled in, and the identity of this control plane. */
export interface MeshSettings {
  readonly clusterId: string
  /** DNS suffix of services: `cluster.local`. */
  readonly domain: string
  readonly rootNamespace: string
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  /** The mesh configuration as given, merged over the defaults; fields by their JSON names. */
  readonly mesh: MeshConfigView
  readonly networks: unknown
}

/** TLS versions and ciphers of a kind of connection. */
export interface TlsSettingsView {
  readonly minProtocolVersion?: string
  readonly cipherSuites?: readonly string[]
  readonly ecdhCurves?: readonly string[]
}

/** The fields of MeshConfig that translation reads. */
export interface MeshConfigView {
  readonly connectTimeout?: string
  readonly protocolDetectionTimeout?: string
  readonly outboundTrafficPolicy?: {
    readonly mode?: 'ALLOW_ANY' | 'REGISTRY_ONLY'
    readonly egressProxy?: { readonly host: string; readonly port?: { readonly number?: number }; readonly subset?: string }
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
  readonly proxyListenPort?: number
  readonly proxyInboundListenPort?: number
  readonly trustDomain?: string
  readonly trustDomainAliases?: readonly string[]
  readonly rootNamespace?: string
}
