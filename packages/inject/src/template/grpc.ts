/** The built-in templates `grpc-agent` and `grpc-simple`: applications that speak xDS themselves, without Envoy. */
import { textAt } from '../settings/values.ts'
import { applicationContainers, type PodOverlay, present, type TemplateInput } from './input.ts'
import { agentArgs } from './parts/args.ts'
import {
  appContainersEnv,
  clusterEnv,
  controlPlaneEnv,
  env,
  field,
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
import { exec, readinessProbe } from './parts/probes.ts'
import { proxyResources } from './parts/resources.ts'
import * as volumes from './parts/volumes.ts'

/** An agent without Envoy beside each application container: certificates, bootstrap, metrics. */
export function grpcAgentTemplate(input: TemplateInput): PodOverlay {
  return {
    metadata: {
      labels: canonicalLabels(input),
      annotations: { ...commonAnnotations(input), 'sidecar.istio.io/rewriteAppHTTPProbers': 'false' },
    },
    spec: {
      containers: [agentContainer(input), ...applicationContainers(input).map(agentClient)],
      volumes: [
        { name: 'workload-socket' },
        ...volumes.identityVolumes(input, {}),
        { name: 'istio-xds', emptyDir: { medium: 'Memory' } },
        ...volumes.agentVolumes(input),
        ...volumes.rootCertificateVolumes(input),
        ...volumes.staticCertificateVolumes(input),
        ...volumes.userVolumes(input),
      ],
      ...volumes.pullSecrets(input),
    },
  }
}

function agentContainer(input: TemplateInput): Record<string, unknown> {
  return {
    name: 'istio-proxy',
    image: containerImage(input, 'global.proxy.image'),
    ports: [{ containerPort: 15020, protocol: 'TCP', name: 'mesh-metrics' }],
    args: agentArgs(input, 'sidecar'),
    lifecycle: { postStart: exec(['pilot-agent', 'wait', '--url=http://localhost:15020/healthz/ready']) },
    env: [
      env('ISTIO_META_GENERATOR', 'grpc'),
      env('OUTPUT_CERTS', '/var/lib/istio/data'),
      ...controlPlaneEnv(input),
      ...podEnv(),
      ...proxyConfigEnv(input),
      appContainersEnv(input),
      ...tlsPolicyEnv(input),
      ...clusterEnv(input),
      ...networkEnv(input),
      ...workloadEnv(input),
      ...meshEnv(input),
      ...metadataEnv(input),
      // Nothing is captured here, so the agent must not answer DNS, whatever the mesh asks of sidecars.
      env('ISTIO_META_DNS_CAPTURE', 'false'),
      env('DISABLE_ENVOY', 'true'),
    ],
    ...present('imagePullPolicy', textAt(input.values, 'global.imagePullPolicy')),
    ...readinessProbe(input, 15020),
    resources: proxyResources(input),
    volumeMounts: [
      volumes.mount('workload-socket', '/var/run/secrets/workload-spiffe-uds'),
      ...volumes.identityMounts(input),
      ...volumes.rootCertificateMounts(input),
      volumes.mount('istio-data', '/var/lib/istio/data'),
      volumes.mount('istio-xds', '/etc/istio/proxy'),
      volumes.mount('istio-token', '/var/run/secrets/tokens'),
      ...volumes.staticCertificateMounts(input),
      volumes.mount('istio-podinfo', '/etc/istio/pod'),
      ...volumes.userMounts(input),
    ],
  }
}

function agentClient(name: string): Record<string, unknown> {
  return {
    name,
    env: [env('GRPC_XDS_EXPERIMENTAL_SECURITY_SUPPORT', 'true'), env('GRPC_XDS_BOOTSTRAP', '/etc/istio/proxy/grpc-bootstrap.json')],
    volumeMounts: [
      volumes.mount('istio-data', '/var/lib/istio/data'),
      // The agent's sockets are where the bootstrap says they are.
      volumes.mount('istio-xds', '/etc/istio/proxy'),
      volumes.mount('workload-certs', '/var/run/secrets/workload-spiffe-credentials'),
    ],
  }
}

/** No agent at all: an init container writes the bootstrap, the application asks the control plane in plain text. */
export function grpcSimpleTemplate(input: TemplateInput): PodOverlay {
  const address =
    typeof input.proxyConfig.discoveryAddress === 'string' ? input.proxyConfig.discoveryAddress : 'istiod.istio-system.svc:15012'
  const server = `dns:///${address.replace(/:15012$/, ':15010')}`
  const path = '/var/lib/grpc/data/bootstrap.json'
  return {
    metadata: { annotations: { 'sidecar.istio.io/rewriteAppHTTPProbers': 'false' } },
    spec: {
      initContainers: [
        {
          name: 'grpc-bootstrap-init',
          image: 'busybox:1.28',
          volumeMounts: [volumes.mount('grpc-io-proxyless-bootstrap', '/var/lib/grpc/data/')],
          env: [
            field('INSTANCE_IP', 'status.podIP'),
            field('POD_NAME', 'metadata.name'),
            field('POD_NAMESPACE', 'metadata.namespace'),
            env('ISTIO_NAMESPACE', textAt(input.values, 'global.istioNamespace', 'istio-system')),
          ],
          command: ['sh', '-c', `cat > ${path} <<EOF\n${grpcBootstrap(server)}\nEOF`],
        },
      ],
      containers: applicationContainers(input).map((name) => ({
        name,
        env: [env('GRPC_XDS_BOOTSTRAP', path), env('GRPC_GO_LOG_VERBOSITY_LEVEL', '99'), env('GRPC_GO_LOG_SEVERITY_LEVEL', 'info')],
        volumeMounts: [volumes.mount('grpc-io-proxyless-bootstrap', '/var/lib/grpc/data/')],
      })),
      volumes: [{ name: 'grpc-io-proxyless-bootstrap', emptyDir: {} }],
    },
  }
}

/** The shell fills in what only the running pod knows. */
function grpcBootstrap(server: string): string {
  return JSON.stringify(
    {
      xds_servers: [{ server_uri: server, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
      node: {
        id: 'sidecar~${INSTANCE_IP}~${POD_NAME}.${POD_NAMESPACE}~${POD_NAMESPACE}.svc.cluster.local',
        metadata: {
          INSTANCE_IPS: '${INSTANCE_IP}',
          PILOT_SAN: ['istiod.istio-system.svc'],
          GENERATOR: 'grpc',
          NAMESPACE: '${POD_NAMESPACE}',
        },
        locality: {},
        UserAgentVersionType: null,
      },
    },
    undefined,
    2,
  )
}
