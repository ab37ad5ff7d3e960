/** All analyzers, in the order of their names' topics. A new one is a file in `analyzers/` and a line here. */
import type { Analyzer } from './analyzer.ts'
import { alphaAnnotations } from './analyzers/annotations/alpha-annotations.ts'
import { annotations } from './analyzers/annotations/annotations.ts'
import { blockedCidrs } from './analyzers/authn/blocked-cidrs.ts'
import { authorizationPolicies } from './analyzers/authz/authorization-policies.ts'
import { conditions } from './analyzers/conditions/conditions.ts'
import { applicationUid } from './analyzers/deployment/application-uid.ts'
import { serviceAssociation } from './analyzers/deployment/service-association.ts'
import { deprecation } from './analyzers/deprecation/deprecation.ts'
import { caCertificates } from './analyzers/destination-rule/ca-certificates.ts'
import { subsetPods } from './analyzers/destination-rule/subset-pods.ts'
import { envoyPatches } from './analyzers/envoy-filter/envoy-patches.ts'
import { patchedFields } from './analyzers/envoy-filter/patched-fields.ts'
import { externalControlPlane } from './analyzers/external-control-plane/external-control-plane.ts'
import { certificate } from './analyzers/gateway/certificate.ts'
import { conflictingGateways } from './analyzers/gateway/conflicting-gateways.ts'
import { ingressGatewayPort } from './analyzers/gateway/ingress-gateway-port.ts'
import { secret } from './analyzers/gateway/secret.ts'
import { imageAuto } from './analyzers/injection/image-auto.ts'
import { injection } from './analyzers/injection/injection.ts'
import { proxyImage } from './analyzers/injection/proxy-image.ts'
import { crdVersion } from './analyzers/kubernetes-gateway/crd-version.ts'
import { policySelector } from './analyzers/kubernetes-gateway/policy-selector.ts'
import { meshNetworks } from './analyzers/multicluster/mesh-networks.ts'
import { multiclusterServices } from './analyzers/multicluster/services.ts'
import { schemas } from './analyzers/schema/schema.ts'
import { portName } from './analyzers/service/port-name.ts'
import { protocolAddresses } from './analyzers/service-entry/protocol-addresses.ts'
import { sidecarSelectors } from './analyzers/sidecar/sidecar-selectors.ts'
import { lightstep } from './analyzers/telemetry/lightstep.ts'
import { telemetryDefaults } from './analyzers/telemetry/telemetry-defaults.ts'
import { telemetryProviders } from './analyzers/telemetry/telemetry-providers.ts'
import { telemetrySelectors } from './analyzers/telemetry/telemetry-selectors.ts'
import { conflictingMeshHosts } from './analyzers/virtual-service/conflicting-mesh-hosts.ts'
import { destinationHosts } from './analyzers/virtual-service/destination-hosts.ts'
import { destinationSubsets } from './analyzers/virtual-service/destination-subsets.ts'
import { gateways } from './analyzers/virtual-service/gateways.ts'
import { jwtClaimRoutes } from './analyzers/virtual-service/jwt-claim-routes.ts'
import { webhook } from './analyzers/webhook/webhook.ts'

/** Run unless others are named. */
export const ANALYZERS: readonly Analyzer[] = [
  annotations,
  authorizationPolicies,
  blockedCidrs,
  conditions,
  applicationUid,
  serviceAssociation,
  caCertificates,
  subsetPods,
  deprecation,
  envoyPatches,
  patchedFields,
  externalControlPlane,
  certificate,
  conflictingGateways,
  ingressGatewayPort,
  secret,
  imageAuto,
  injection,
  proxyImage,
  crdVersion,
  policySelector,
  meshNetworks,
  multiclusterServices,
  portName,
  protocolAddresses,
  sidecarSelectors,
  lightstep,
  telemetryDefaults,
  telemetryProviders,
  telemetrySelectors,
  conflictingMeshHosts,
  destinationHosts,
  destinationSubsets,
  gateways,
  jwtClaimRoutes,
  webhook,
  ...schemas,
]

/** Run only when they are named. */
export const OPTIONAL_ANALYZERS: readonly Analyzer[] = [alphaAnnotations]

/** The analyzers with these names; those of {@link ANALYZERS} when no names are given. Unknown names are left out. */
export function analyzersNamed(names: readonly string[]): readonly Analyzer[] {
  if (names.length === 0) return ANALYZERS
  return [...ANALYZERS, ...OPTIONAL_ANALYZERS].filter(({ name }) => names.includes(name))
}

/** Every kind that these analyzers read: what is to be listed of a cluster. */
export function inputKinds(analyzers: readonly Analyzer[]) {
  const inputs = new Set(analyzers.flatMap((analyzer) => analyzer.inputs))
  return [...inputs].filter((input) => input !== 'MeshConfig' && input !== 'MeshNetworks')
}
