/** The built-in template `gateway`: a pod that is nothing but a proxy, with nothing captured. */
import { textAt } from '../settings/values.ts'
import { type EnvVar, type Named, type PodOverlay, present, type TemplateInput } from './input.ts'
import { agentArgs } from './parts/args.ts'
import {
  appContainersEnv,
  bootstrapEnv,
  clusterEnv,
  controlPlaneEnv,
  interceptionEnv,
  limit,
  limitsEnv,
  meshEnv,
  metadataEnv,
  networkEnv,
  podEnv,
  proxyConfigEnv,
  tlsPolicyEnv,
  workloadEnv,
} from './parts/env.ts'
import { containerImage } from './parts/image.ts'
import { canonicalLabels, commonAnnotations } from './parts/metadata.ts'
import { readinessProbe } from './parts/probes.ts'
import { PROXY_ID } from './parts/security.ts'
import * as volumes from './parts/volumes.ts'

export function gatewayTemplate(input: TemplateInput): PodOverlay {
  return {
    metadata: { labels: canonicalLabels(input), annotations: { 'istio.io/rev': commonAnnotations(input)['istio.io/rev'] ?? 'default' } },
    spec: {
      // The proxy is no root user and yet listens on ports such as 80.
      securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
      containers: [gatewayContainer(input)],
      volumes: gatewayVolumes(input),
      ...volumes.pullSecrets(input),
    },
  }
}

function gatewayContainer(input: TemplateInput): Record<string, unknown> {
  return {
    name: 'istio-proxy',
    image: containerImage(input, 'global.proxy.image'),
    ports: [{ containerPort: 15090, protocol: 'TCP', name: 'http-envoy-prom' }],
    args: agentArgs(input, 'router'),
    env: gatewayEnv(input),
    ...present('imagePullPolicy', textAt(input.values, 'global.imagePullPolicy')),
    ...readinessProbe(input, 15021),
    securityContext: { runAsUser: input.proxyUid ?? PROXY_ID, runAsGroup: input.proxyGid ?? PROXY_ID },
    volumeMounts: gatewayMounts(input),
  }
}

/** What the agent of a proxy that stands alone is told. */
export function gatewayEnv(input: TemplateInput): EnvVar[] {
  return [
    ...controlPlaneEnv(input),
    ...podEnv(),
    limit('ISTIO_CPU_LIMIT', 'limits.cpu'),
    ...proxyConfigEnv(input),
    ...limitsEnv(),
    ...tlsPolicyEnv(input),
    appContainersEnv(input),
    ...clusterEnv(input),
    ...interceptionEnv(input),
    ...networkEnv(input),
    ...workloadEnv(input),
    ...bootstrapEnv(input),
    ...meshEnv(input),
    ...metadataEnv(input),
  ]
}

export function gatewayMounts(input: TemplateInput): (volumes.Mount | Named)[] {
  return [
    volumes.mount('workload-socket', '/var/run/secrets/workload-spiffe-uds'),
    volumes.mount('credential-socket', '/var/run/secrets/credential-uds'),
    ...volumes.identityMounts(input),
    ...volumes.rootCertificateMounts(input),
    volumes.mount('istio-data', '/var/lib/istio/data'),
    ...volumes.bootstrapMounts(input),
    volumes.mount('istio-envoy', '/etc/istio/proxy'),
    volumes.mount('istio-token', '/var/run/secrets/tokens'),
    volumes.mount('istio-podinfo', '/etc/istio/pod'),
    ...volumes.userMounts(input),
  ]
}

export function gatewayVolumes(input: TemplateInput): Named[] {
  return [
    ...volumes.bootstrapVolumes(input),
    { name: 'workload-socket' },
    { name: 'credential-socket', emptyDir: {} },
    ...volumes.identityVolumes(input, { emptyDir: {} }),
    { name: 'istio-envoy', emptyDir: { medium: 'Memory' } },
    ...volumes.agentVolumes(input),
    ...volumes.rootCertificateVolumes(input),
    ...volumes.userVolumes(input),
  ]
}
