/**
 * Every message of analysis: Istio's code, name and level; the words are ours where a sentence is more than its data.
 *
 * A name is what analyzers use, a code is what users see and suppress. Codes are Istio's and are never used for anything else.
 */
import type { Severity } from '@lateen/base'
import { listed } from './listed.ts'

export interface Message<A> {
  readonly code: string
  readonly level: Severity
  readonly text: (args: A) => string
}

/** Nothing to fill in. */
export type NoArguments = Readonly<Record<string, never>>

const error = <A = NoArguments>(code: string, text: (args: A) => string): Message<A> => ({ code, level: 'Error', text })
const warning = <A = NoArguments>(code: string, text: (args: A) => string): Message<A> => ({ code, level: 'Warning', text })
const info = <A = NoArguments>(code: string, text: (args: A) => string): Message<A> => ({ code, level: 'Info', text })

type Texts = readonly string[]
type Numbers = readonly number[]

const PATCH_ADVICE = 'use INSERT_FIRST or ADD, or give the EnvoyFilter a priority'

export const MESSAGES = {
  InternalError: error<{ detail: string }>('IST0001', ({ detail }) => `Internal error: ${detail}`),
  Deprecated: warning<{ detail: string }>('IST0002', ({ detail }) => `Deprecated: ${detail}`),
  ReferencedResourceNotFound: error<{ reftype: string; refval: string }>(
    'IST0101',
    ({ reftype, refval }) => `Referenced ${reftype} not found: "${refval}"`,
  ),
  NamespaceNotInjected: info<{ namespace: string; namespace2: string }>(
    'IST0102',
    ({ namespace, namespace2 }) =>
      `The namespace ${namespace} says nothing about injection, so its pods get no sidecar. Say so with ` +
      `'kubectl label namespace ${namespace2} istio-injection=enabled', or =disabled when that is meant.`,
  ),
  PodMissingProxy: warning<{ podName: string }>(
    'IST0103',
    ({ podName }) => `The pod ${podName} has no Istio proxy although its namespace asks for one; restart its workload to get it injected.`,
  ),
  SchemaValidationError: error<{ err: string }>('IST0106', ({ err }) => `Schema validation error: ${err}`),
  MisplacedAnnotation: warning<{ annotation: string; kind: string }>(
    'IST0107',
    ({ annotation, kind }) => `Misplaced annotation: ${annotation} can only be applied to ${kind}`,
  ),
  UnknownAnnotation: warning<{ annotation: string }>('IST0108', ({ annotation }) => `Unknown annotation: ${annotation}`),
  ConflictingMeshGatewayVirtualServiceHosts: error<{ virtualServices: string; host: string }>(
    'IST0109',
    ({ virtualServices, host }) =>
      `The VirtualServices ${virtualServices} all define the host ${host} for the mesh gateway; only one of them counts. Merge them into one.`,
  ),
  ConflictingSidecarWorkloadSelectors: error<{ conflictingSidecars: Texts; namespace: string; workloadPod: string }>(
    'IST0110',
    ({ conflictingSidecars, namespace, workloadPod }) =>
      `The Sidecars ${listed(conflictingSidecars)} in namespace "${namespace}" select the same pod "${workloadPod}"; only one of them counts. Make their selectors disjoint.`,
  ),
  MultipleSidecarsWithoutWorkloadSelectors: error<{ conflictingSidecars: Texts; namespace: string }>(
    'IST0111',
    ({ conflictingSidecars, namespace }) =>
      `The Sidecars ${listed(conflictingSidecars)} in namespace "${namespace}" have no workload selector; only one of them counts. Keep one.`,
  ),
  VirtualServiceDestinationPortSelectorRequired: error<{ destHost: string; destPorts: Numbers }>(
    'IST0112',
    ({ destHost, destPorts }) =>
      `The service "${destHost}" has the ports ${listed(destPorts)}; a route to it must name one in destination.port.number.`,
  ),
  DeploymentAssociatedToMultipleServices: warning<{ deployment: string; port: number; services: Texts }>(
    'IST0116',
    ({ deployment, port, services }) =>
      `The services ${listed(services)} select the deployment ${deployment} with port ${port} but different protocols; use one protocol for a port.`,
  ),
  PortNameIsNotUnderNamingConvention: info<{ portName: string; port: number; targetPort: string }>(
    'IST0118',
    ({ portName, port, targetPort }) =>
      `Port name ${portName} (port: ${port}, targetPort: ${targetPort}) names no protocol; name it <protocol>[-suffix] or set appProtocol.`,
  ),
  NamespaceMultipleInjectionLabels: warning<{ labels: Texts }>(
    'IST0123',
    ({ labels }) => `The namespace has several labels for injection ${listed(labels)}, which contradict each other; keep one.`,
  ),
  InvalidAnnotation: warning<{ annotation: string; problem: string }>(
    'IST0125',
    ({ annotation, problem }) => `Invalid annotation ${annotation}: ${problem}`,
  ),
  UnknownMeshNetworksServiceRegistry: error<{ serviceregistry: string; network: string }>(
    'IST0126',
    ({ serviceregistry, network }) => `Unknown service registry ${serviceregistry} in network ${network}`,
  ),
  NoMatchingWorkloadsFound: warning<{ labels: string }>(
    'IST0127',
    ({ labels }) => `No matching workloads for this resource with the following labels: ${labels}`,
  ),
  NoServerCertificateVerificationDestinationLevel: warning<{ destinationrule: string; namespace: string; mode: string; host: string }>(
    'IST0128',
    ({ destinationrule, namespace, mode, host }) =>
      `DestinationRule ${destinationrule} in namespace ${namespace} has TLS mode ${mode} for host ${host} without caCertificates, so the server's certificate is not verified; set caCertificates.`,
  ),
  NoServerCertificateVerificationPortLevel: warning<{
    destinationrule: string
    namespace: string
    mode: string
    host: string
    port: string
  }>(
    'IST0129',
    ({ destinationrule, namespace, mode, host, port }) =>
      `DestinationRule ${destinationrule} in namespace ${namespace} has TLS mode ${mode} for host ${host} at port ${port} without caCertificates, so the server's certificate is not verified; set caCertificates.`,
  ),
  VirtualServiceUnreachableRule: warning<{ ruleno: string; reason: string }>(
    'IST0130',
    ({ ruleno, reason }) => `VirtualService rule ${ruleno} not used (${reason}).`,
  ),
  VirtualServiceIneffectiveMatch: info<{ ruleno: string; matchno: string; dupno: string }>(
    'IST0131',
    ({ ruleno, matchno, dupno }) =>
      `VirtualService rule ${ruleno} match ${matchno} is not used (duplicate/overlapping match in rule ${dupno}).`,
  ),
  VirtualServiceHostNotFoundInGateway: warning<{ host: Texts; virtualservice: string; gateway: string }>(
    'IST0132',
    ({ host, virtualservice, gateway }) =>
      `None of the hosts ${listed(host)} of VirtualService ${virtualservice} is served by Gateway ${gateway}; add one to the gateway's servers.`,
  ),
  SchemaWarning: warning<{ err: string }>('IST0133', ({ err }) => `Schema validation warning: ${err}`),
  ServiceEntryAddressesRequired: warning(
    'IST0134',
    () => 'A TCP port without addresses is matched by its number alone, whatever the host; set addresses, or allocate them automatically.',
  ),
  DeprecatedAnnotation: info<{ annotation: string; extra: string }>(
    'IST0135',
    ({ annotation, extra }) => `Annotation "${annotation}" is deprecated${extra} and may stop working.`,
  ),
  AlphaAnnotation: info<{ annotation: string }>(
    'IST0136',
    ({ annotation }) => `Annotation "${annotation}" belongs to an alpha feature and may change or go away.`,
  ),
  DeploymentConflictingPorts: warning<{ deployment: string; services: Texts; targetPort: string; ports: Numbers }>(
    'IST0137',
    ({ deployment, services, targetPort, ports }) =>
      `The services ${listed(services)} select the deployment ${deployment} with target port "${targetPort}" but different ports ${listed(ports)}; use one port for a target port.`,
  ),
  GatewayDuplicateCertificate: warning<{ gateways: Texts }>(
    'IST0138',
    ({ gateways }) =>
      `The gateways ${listed(gateways)} use the same certificate; a client that reuses an HTTP/2 connection can get 404. Use one gateway, or certificates of their own.`,
  ),
  InvalidWebhook: error<{ error: string }>('IST0139', ({ error }) => error),
  IngressRouteRulesNotAffected: warning<{ virtualservicesubset: string; virtualservice: string }>(
    'IST0140',
    ({ virtualservicesubset, virtualservice }) =>
      `The subsets in VirtualService ${virtualservicesubset} do not count for requests through the gateway of ${virtualservice}; route to the subset here.`,
  ),
  InsufficientPermissions: error<{ resource: string; error: string }>(
    'IST0141',
    ({ resource, error }) => `Missing required permission to create resource ${resource} (${error})`,
  ),
  UnsupportedKubernetesVersion: error<{ version: string; minimumVersion: string }>(
    'IST0142',
    ({ version, minimumVersion }) => `The Kubernetes version ${version} is too old; at least ${minimumVersion} is needed.`,
  ),
  LocalhostListener: error<{ port: string }>(
    'IST0143',
    ({ port }) => `Port ${port} is listened to on localhost only, so other pods will not reach it; listen on all addresses.`,
  ),
  InvalidApplicationUID: warning('IST0144', () => 'User ID 1337 is reserved for the sidecar proxy; run the application as another user.'),
  ConflictingGateways: error<{ gateway: string; selector: string; portnumber: string; hosts: string }>(
    'IST0145',
    ({ gateway, selector, portnumber, hosts }) =>
      `Conflict with gateways ${gateway} (workload selector ${selector}, port ${portnumber}, hosts ${hosts}).`,
  ),
  ImageAutoWithoutInjectionWarning: warning<{ resourceType: string; resourceName: string }>(
    'IST0146',
    ({ resourceType, resourceName }) =>
      `${resourceType} ${resourceName} has "image: auto", which only injection fills in, but matches no injection webhook; label it or its namespace for injection.`,
  ),
  ImageAutoWithoutInjectionError: error<{ resourceType: string; resourceName: string }>(
    'IST0147',
    ({ resourceType, resourceName }) =>
      `${resourceType} ${resourceName} has "image: auto" although it runs: injection has not filled it in. Create it again once injection works.`,
  ),
  NamespaceInjectionEnabledByDefault: info(
    'IST0148',
    () => 'The namespace is enabled for injection, because the installation sets enableNamespacesByDefault.',
  ),
  JwtClaimBasedRoutingWithoutRequestAuthN: error<{ key: string; gateway: string; pod: string }>(
    'IST0149',
    ({ key, gateway, pod }) =>
      `The routes by the token claim "${key}" never match: no RequestAuthentication applies to the pod ${pod} of gateway ${gateway}. Add one.`,
  ),
  ExternalNameServiceTypeInvalidPortName: warning(
    'IST0150',
    () =>
      'A port of an ExternalName service that is named tcp, or names no protocol, catches traffic for other hosts; name it after its protocol.',
  ),
  EnvoyFilterUsesRelativeOperation: warning(
    'IST0151',
    () => `The patch is relative to what other EnvoyFilters do, and their order is open; ${PATCH_ADVICE}.`,
  ),
  EnvoyFilterUsesReplaceOperationIncorrectly: error(
    'IST0152',
    () => 'The operation REPLACE works only with applyTo HTTP_FILTER and NETWORK_FILTER.',
  ),
  EnvoyFilterUsesAddOperationIncorrectly: error(
    'IST0153',
    () => 'The operation ADD does nothing with applyTo ROUTE_CONFIGURATION or HTTP_ROUTE.',
  ),
  EnvoyFilterUsesRemoveOperationIncorrectly: error(
    'IST0154',
    () => 'The operation REMOVE does nothing with applyTo ROUTE_CONFIGURATION or HTTP_ROUTE.',
  ),
  EnvoyFilterUsesRelativeOperationWithProxyVersion: warning(
    'IST0155',
    () => `The patch is relative to another one that is for one proxy version only, so it can fail during an upgrade; ${PATCH_ADVICE}.`,
  ),
  UnsupportedGatewayAPIVersion: error<{ version: string; minimumVersion: string }>(
    'IST0156',
    ({ version, minimumVersion }) => `The Gateway API CRDs have version ${version}; at least ${minimumVersion} is needed.`,
  ),
  InvalidTelemetryProvider: warning<{ name: string; namespace: string }>(
    'IST0157',
    ({ name, namespace }) =>
      `The Telemetry ${name} in namespace "${namespace}" names no provider for access logs and the mesh has no default one, so it does nothing; name a provider.`,
  ),
  PodsIstioProxyImageMismatchInNamespace: warning<{ podNames: Texts }>(
    'IST0158',
    ({ podNames }) =>
      `The proxies of the pods ${listed(podNames)} are not the image that injection uses now, as after an upgrade; restart their workloads.`,
  ),
  ConflictingTelemetryWorkloadSelectors: error<{ conflictingTelemetries: Texts; namespace: string; workloadPod: string }>(
    'IST0159',
    ({ conflictingTelemetries, namespace, workloadPod }) =>
      `The Telemetries ${listed(conflictingTelemetries)} in namespace "${namespace}" select the same pod "${workloadPod}"; only one of them counts. Make their selectors disjoint.`,
  ),
  MultipleTelemetriesWithoutWorkloadSelectors: error<{ conflictingTelemetries: Texts; namespace: string }>(
    'IST0160',
    ({ conflictingTelemetries, namespace }) =>
      `The Telemetries ${listed(conflictingTelemetries)} in namespace "${namespace}" have no workload selector; only one of them counts. Keep one.`,
  ),
  InvalidGatewayCredential: error<{ gatewayName: string; gatewayNamespace: string }>(
    'IST0161',
    ({ gatewayName, gatewayNamespace }) =>
      `The credential of the Gateway ${gatewayName}, a Secret in namespace ${gatewayNamespace}, holds no valid certificate and key, or an expired one; replace it.`,
  ),
  GatewayPortNotDefinedOnService: warning<{ port: number; selector: string }>(
    'IST0162',
    ({ port, selector }) =>
      `The gateway listens on port ${port}, which no Service of its workload (Pod selector ${selector}) has as target port; add it to the Service to reach it from outside.`,
  ),
  InvalidExternalControlPlaneConfig: warning<{ hostname: string; webhook: string; msg: string }>(
    'IST0163',
    ({ hostname, webhook, msg }) =>
      `The hostname (${hostname}) of the external control plane in the webhook (${webhook}) ${msg}; injection or validation will not work.`,
  ),
  ExternalControlPlaneAddressIsNotAHostname: info<{ hostname: string; webhook: string }>(
    'IST0164',
    ({ hostname, webhook }) =>
      `The address (${hostname}) of the external control plane in the webhook (${webhook}) is an IP address, not a host name.`,
  ),
  ReferencedInternalGateway: warning<{ virtualservice: string; gateway: string }>(
    'IST0165',
    ({ virtualservice, gateway }) =>
      `VirtualService ${virtualservice} names the gateway ${gateway}, which is made internally from a Gateway API object and may change; use an HTTPRoute, or a Gateway of your own.`,
  ),
  IneffectiveSelector: warning<{ gateway: string }>(
    'IST0166',
    ({ gateway }) => `Ineffective selector on Kubernetes Gateway ${gateway}. Use the TargetRef field instead.`,
  ),
  IneffectivePolicy: warning<{ reason: string }>('IST0167', ({ reason }) => `The policy has no impact: ${reason}.`),
  UnknownUpgradeCompatibility: warning<{ field: string; release: string; info: string; compatVersion: string }>(
    'IST0168',
    ({ field, release, info, compatVersion }) =>
      `The default of ${field} changed in release ${release}: ${info}. Whether that matters here is not known; install with compatibilityVersion=${compatVersion} to keep the old one.`,
  ),
  UpdateIncompatibility: warning<{ field: string; release: string; info: string; compatVersion: string }>(
    'IST0169',
    ({ field, release, info, compatVersion }) =>
      `The default of ${field} changed in release ${release}: ${info}. Install with compatibilityVersion=${compatVersion} to keep the old one.`,
  ),
  MultiClusterInconsistentService: warning<{ serviceName: string; namespace: string; clusters: Texts; error: string }>(
    'IST0170',
    ({ serviceName, namespace, clusters, error }) =>
      `The service ${serviceName} in namespace "${namespace}" differs between the clusters ${listed(clusters)}: ${error}. Make them equal.`,
  ),
  NegativeConditionStatus: warning<{ conditionType: string; reason: string; message: string }>(
    'IST0171',
    ({ conditionType, reason, message }) => `The condition ${conditionType} is false (${reason}): ${message}`,
  ),
  FutureUnsupportedGatewayAPIVersion: warning<{ version: string; minimumVersion: string }>(
    'IST0172',
    ({ version, minimumVersion }) => `The Gateway API CRDs have version ${version}; the next release needs at least ${minimumVersion}.`,
  ),
  DestinationRuleSubsetNotSelectPods: error<{ subset: string }>(
    'IST0173',
    ({ subset }) => `The subset ${subset} selects no pod, so requests to it fail with 503 (UH, no healthy upstream).`,
  ),
  UnknownDestinationRuleHost: warning<{ host: string }>('IST0174', ({ host }) => `The host ${host} is no service of the mesh.`),
  JwksUriFetchUnrestricted: warning<{ count: number; names: string }>(
    'IST0175',
    ({ count, names }) =>
      `The control plane fetches keys for ${count} RequestAuthentications (${names}) from any address; set BLOCKED_CIDRS_IN_JWKS_URIS to keep it from internal ones.`,
  ),
  GatewayAPICRDVersionBelowMinimum: warning<{ crd: string; installedVersion: string; minimumVersion: string }>(
    'IST0176',
    ({ crd, installedVersion, minimumVersion }) =>
      `The CRD ${crd} has version ${installedVersion} and is not read; install ${minimumVersion} or newer.`,
  ),
} as const

export type MessageName = keyof typeof MESSAGES
export type ArgumentsOf<K extends MessageName> = Parameters<(typeof MESSAGES)[K]['text']>[0]

const codes = new Set<string>(Object.values(MESSAGES).map(({ code }) => code))

/** Whether a code exists, so that suppressing it can have an effect. */
export const isMessageCode = (code: string): boolean => codes.has(code)

/** Istio's page about a code. */
export const documentationUrl = (code: string): string => `https://istio.io/v1.30/docs/reference/config/analysis/${code.toLowerCase()}/`
