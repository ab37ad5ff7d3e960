/** MeshConfig: what holds for the whole mesh (key `mesh` of the ConfigMap `istio`). */
import { ClientTLSSettings } from '../kinds/destination-rule/destination-rule.ts'
import { HTTPRetry } from '../kinds/virtual-service/virtual-service.ts'
import { TcpKeepalive } from '../messages/connection-pool.ts'
import { LocalityLoadBalancerSetting } from '../messages/locality-lb-setting.ts'
import { duration, flag, int32, list, map, message, of, oneOf, type Static, text } from '../schema/define.ts'
import { ExtensionProvider } from './extension-provider.ts'
import { MeshProxyConfig } from './mesh-proxy-config.ts'

export const MeshLabelSelectorRequirement = message('LabelSelectorRequirement', {
  key: text('Label that is looked at.'),
  operator: text('In, NotIn, Exists or DoesNotExist.'),
  values: list(text(), 'Values, for In and NotIn.'),
})
export interface MeshLabelSelectorRequirement extends Static<typeof MeshLabelSelectorRequirement> {}

export const MeshLabelSelector = message('LabelSelector', {
  matchLabels: map(text(), 'Labels that must all be there.'),
  matchExpressions: list(of(MeshLabelSelectorRequirement), 'Conditions that must all hold.'),
})
export interface MeshLabelSelector extends Static<typeof MeshLabelSelector> {}

const MeshOutboundTrafficPolicy = message('MeshOutboundTrafficPolicy', {
  mode: oneOf(
    ['REGISTRY_ONLY', 'ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS'],
    'Whether hosts that the mesh does not know can be reached.',
    [0, 1, 3],
  ),
  tls: of(ClientTLSSettings, 'TLS towards such hosts.'),
})

const MeshInboundTrafficPolicy = message('MeshInboundTrafficPolicy', {
  mode: oneOf(['PASSTHROUGH', 'LOCALHOST'], 'Which address of the pod incoming connections are passed to.'),
})

const Certificate = message('Certificate', { secretName: text('Secret to write.'), dnsNames: list(text(), 'Names of the certificate.') })

const ConfigSource = message('ConfigSource', {
  address: text('xds://host:port, fs:///path or k8s://.'),
  tlsSettings: of(ClientTLSSettings, 'TLS towards the source.'),
  subscribedResources: list(oneOf(['SERVICE_REGISTRY']), 'What is taken from the source.'),
})

const ServiceSettingsSettings = message('ServiceSettingsSettings', { clusterLocal: flag('Traffic stays in the cluster of the client.') })
const ServiceSettings = message('ServiceSettings', {
  settings: of(ServiceSettingsSettings, 'What is set.'),
  hosts: list(text(), 'Services that it is set for, with a leading * as wildcard.'),
})

const CertificateAuthority = message('CA', {
  address: text('Address of the certificate authority.'),
  tlsSettings: of(ClientTLSSettings, 'TLS towards it.'),
  requestTimeout: duration('How long a request may take.'),
  istiodSide: flag('The control plane, not the agents, asks it.'),
})

const CertificateData = message(
  'CertificateData',
  {
    pem: text('Certificates of authorities, as PEM.'),
    spiffeBundleUrl: text('Where the certificates are fetched from.'),
    certSigners: list(text(), 'Signers of Kubernetes that use them.'),
    trustDomains: list(text(), 'Trust domains that they are for.'),
  },
  { oneOfs: [['pem', 'spiffeBundleUrl']] },
)

const DefaultProviders = message('DefaultProviders', {
  tracing: list(text(), 'Extension providers for traces.'),
  metrics: list(text(), 'Extension providers for metrics.'),
  accessLogging: list(text(), 'Extension providers for access logs.'),
})

const ProxyPathNormalization = message('ProxyPathNormalization', {
  normalization: oneOf(
    ['DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'],
    'How paths are brought into one form before they are matched.',
  ),
})

const MeshTlsConfig = message('TLSConfig', {
  minProtocolVersion: oneOf(['TLS_AUTO', 'TLSV1_2', 'TLSV1_3'], 'Oldest TLS version taken.'),
  ecdhCurves: list(text(), 'Curves for key exchange.'),
  cipherSuites: list(text(), 'Cipher suites.'),
})

const ServiceScopeConfigs = message('ServiceScopeConfigs', {
  namespaceSelector: of(MeshLabelSelector, 'Namespaces that it is for.'),
  servicesSelector: of(MeshLabelSelector, 'Services that it is for.'),
  scope: oneOf(['LOCAL', 'GLOBAL'], 'Whether other clusters see the services.'),
})

export const MeshConfig = message('MeshConfig', {
  proxyListenPort: int32('Port on which sidecars take captured outgoing connections.'),
  proxyInboundListenPort: int32('Port on which sidecars take captured incoming connections.'),
  proxyHttpPort: int32('Port on which sidecars serve as HTTP proxy; 0 turns it off.'),
  connectTimeout: duration('How long connecting may take.'),
  tcpKeepalive: of(TcpKeepalive, 'Keep-alive probes of all connections.'),
  ingressClass: text('Class of the Ingresses that are served.'),
  ingressService: text('Service of the ingress gateway.'),
  ingressControllerMode: oneOf(['UNSPECIFIED', 'OFF', 'DEFAULT', 'STRICT'], 'Which Ingresses are served.'),
  ingressSelector: text('Value of the label istio of the ingress gateway.'),
  enableTracing: flag('Whether proxies make traces.'),
  accessLogFile: text('Where proxies write access logs, e.g. /dev/stdout; empty turns them off.'),
  accessLogFormat: text('Format of access logs.'),
  accessLogEncoding: oneOf(['TEXT', 'JSON'], 'Whether access logs are lines of text or of JSON.'),
  enableEnvoyAccessLogService: flag('Send access logs by gRPC.'),
  disableEnvoyListenerLog: flag('No access logs for connections that no route takes.'),
  defaultConfig: of(MeshProxyConfig, 'Settings of all proxies.'),
  outboundTrafficPolicy: of(MeshOutboundTrafficPolicy, 'What happens with traffic to unknown hosts.'),
  inboundTrafficPolicy: of(MeshInboundTrafficPolicy, 'Where incoming traffic is passed to.'),
  configSources: list(of(ConfigSource), 'Where configuration comes from, besides Kubernetes.'),
  enableAutoMtls: flag('Use mutual TLS wherever the other side can.', { nullable: true }),
  trustDomain: text('Trust domain of the identities.'),
  trustDomainAliases: list(text(), 'Other trust domains that count as the same.'),
  caCertificates: list(of(CertificateData), 'Further authorities that are trusted.'),
  defaultServiceExportTo: list(text(), 'exportTo of services that say none.'),
  defaultVirtualServiceExportTo: list(text(), 'exportTo of VirtualServices that say none.'),
  defaultDestinationRuleExportTo: list(text(), 'exportTo of DestinationRules that say none.'),
  rootNamespace: text('Namespace whose policies hold for all.'),
  localityLbSetting: of(LocalityLoadBalancerSetting, 'Locality load balancing of all services.'),
  dnsRefreshRate: duration('Time between two DNS lookups of a host.'),
  h2UpgradePolicy: oneOf(['DO_NOT_UPGRADE', 'UPGRADE'], 'Whether HTTP/1.1 connections between sidecars become HTTP/2.'),
  inboundClusterStatName: text('Form of the names in statistics of inbound clusters.'),
  outboundClusterStatName: text('Form of the names in statistics of outbound clusters.'),
  certificates: list(of(Certificate), 'Not used any more.'),
  serviceSettings: list(of(ServiceSettings), 'Settings of single services.'),
  enablePrometheusMerge: flag('The agent serves metrics of the application together with those of the proxy.', { nullable: true }),
  verifyCertificateAtClient: flag('Check certificates of servers outside the mesh with the authorities of the system.', { nullable: true }),
  ca: of(CertificateAuthority, 'External certificate authority.'),
  extensionProviders: list(of(ExtensionProvider), 'Services that telemetry and authorization use, by name.'),
  defaultProviders: of(DefaultProviders, 'Extension providers that are used when no Telemetry says otherwise.'),
  discoverySelectors: list(of(MeshLabelSelector), 'Namespaces that the control plane looks at; all when empty.'),
  pathNormalization: of(ProxyPathNormalization, 'How paths are normalised.'),
  defaultHttpRetryPolicy: of(HTTPRetry, 'Retries of routes that say none.'),
  meshMTLS: of(MeshTlsConfig, 'TLS within the mesh.'),
  tlsDefaults: of(MeshTlsConfig, 'TLS with others.'),
  protocolDetectionTimeout: duration('How long a proxy waits for bytes that show the protocol; 0s for ever.'),
  serviceScopeConfigs: list(of(ServiceScopeConfigs), 'Which services other clusters see, in ambient.'),
  hboneIdleTimeout: duration('How long an HBONE connection may be idle.'),
})
export interface MeshConfig extends Static<typeof MeshConfig> {}
