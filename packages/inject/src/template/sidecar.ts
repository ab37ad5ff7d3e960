/** The built-in template `sidecar`: capture, the proxy, its volumes and its metadata. */
import { textAt } from '../settings/values.ts'
import { label, type Named, type PodOverlay, present, type TemplateInput } from './input.ts'
import { agentArgs } from './parts/args.ts'
import {
  appContainersEnv,
  bootstrapEnv,
  clusterEnv,
  controlPlaneEnv,
  env,
  interceptionEnv,
  limit,
  limitsEnv,
  meshEnv,
  metadataEnv,
  networkEnv,
  openTelemetryEnv,
  podEnv,
  proxyConfigEnv,
  tlsPolicyEnv,
  workloadEnv,
} from './parts/env.ts'
import { containerImage } from './parts/image.ts'
import { captureContainer } from './parts/init-container.ts'
import { canonicalLabels, cniAnnotations, commonAnnotations } from './parts/metadata.ts'
import { proxyLifecycle, readinessProbe, startupProbe } from './parts/probes.ts'
import { proxyResources } from './parts/resources.ts'
import { proxySecurity } from './parts/security.ts'
import * as volumes from './parts/volumes.ts'

export function sidecarTemplate(input: TemplateInput): PodOverlay {
  const capture = captureContainer(input)
  const proxy = proxyContainer(input)
  return {
    metadata: {
      labels: {
        'security.istio.io/tlsMode': label(input, 'security.istio.io/tlsMode') || 'istio',
        ...tunnelLabel(input),
        ...canonicalLabels(input),
      },
      annotations: { ...commonAnnotations(input), ...cniAnnotations(input) },
    },
    spec: {
      ...(input.nativeSidecar ? { initContainers: [...capture, proxy] } : { initContainers: capture, containers: [proxy] }),
      volumes: sidecarVolumes(input),
      ...volumes.pullSecrets(input),
    },
  }
}

function tunnelLabel(input: TemplateInput): Record<string, string> {
  const metadata = input.proxyConfig.proxyMetadata
  const hbone =
    typeof metadata === 'object' &&
    metadata !== null &&
    'ISTIO_META_ENABLE_HBONE' in metadata &&
    metadata.ISTIO_META_ENABLE_HBONE === 'true'
  return hbone ? { 'networking.istio.io/tunnel': label(input, 'networking.istio.io/tunnel') || 'http' } : {}
}

function proxyContainer(input: TemplateInput): Record<string, unknown> {
  return {
    name: 'istio-proxy',
    image: containerImage(input, 'global.proxy.image'),
    ...(input.nativeSidecar ? { restartPolicy: 'Always' } : {}),
    ports: [{ containerPort: 15090, protocol: 'TCP', name: 'http-envoy-prom' }],
    args: agentArgs(input, 'sidecar'),
    ...proxyLifecycle(input),
    env: [
      ...(input.mesh.inboundTrafficMode === 'localhost' ? [env('REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION', 'true')] : []),
      ...controlPlaneEnv(input),
      ...podEnv(),
      limit('ISTIO_CPU_LIMIT', 'limits.cpu'),
      ...proxyConfigEnv(input),
      appContainersEnv(input),
      ...limitsEnv(),
      ...tlsPolicyEnv(input),
      ...clusterEnv(input),
      ...interceptionEnv(input),
      ...networkEnv(input),
      ...workloadEnv(input),
      ...bootstrapEnv(input),
      ...meshEnv(input),
      ...openTelemetryEnv(input),
      ...metadataEnv(input),
    ],
    ...present('imagePullPolicy', textAt(input.values, 'global.imagePullPolicy')),
    ...readinessProbe(input, 15021),
    ...startupProbe(input),
    securityContext: proxySecurity(input),
    resources: proxyResources(input),
    volumeMounts: [
      volumes.mount('workload-socket', '/var/run/secrets/workload-spiffe-uds'),
      volumes.mount('credential-socket', '/var/run/secrets/credential-uds'),
      ...volumes.identityMounts(input),
      ...volumes.rootCertificateMounts(input),
      ...volumes.revocationMounts(input),
      volumes.mount('istio-data', '/var/lib/istio/data'),
      ...volumes.bootstrapMounts(input),
      volumes.mount('istio-envoy', '/etc/istio/proxy'),
      volumes.mount('istio-token', '/var/run/secrets/tokens'),
      ...volumes.staticCertificateMounts(input),
      volumes.mount('istio-podinfo', '/etc/istio/pod'),
      ...volumes.userMounts(input),
    ],
  }
}

/** A volume with a name alone is an emptyDir: another template may give it a source of its own without clashing with one here. */
function sidecarVolumes(input: TemplateInput): Named[] {
  return [
    ...volumes.bootstrapVolumes(input),
    { name: 'workload-socket' },
    { name: 'credential-socket' },
    ...volumes.identityVolumes(input, {}),
    { name: 'istio-envoy', emptyDir: { medium: 'Memory' } },
    ...volumes.agentVolumes(input),
    ...volumes.rootCertificateVolumes(input),
    ...volumes.revocationVolumes(input),
    ...volumes.staticCertificateVolumes(input),
    ...volumes.userVolumes(input),
  ]
}
