/** The built-in template `kube-gateway`: what is deployed for a Gateway of the Gateway API. */
import type { KubeObject } from '@lateen/api'
import { isRecord } from '../pod/pod.ts'
import { flagAt, textAt, valueAt } from '../settings/values.ts'
import { gatewayEnv, gatewayMounts, gatewayVolumes } from '../template/gateway.ts'
import { annotationOr, present, type TemplateInput } from '../template/input.ts'
import { env } from '../template/parts/env.ts'
import { containerImage } from '../template/parts/image.ts'
import { PROXY_ID } from '../template/parts/security.ts'
import { pullSecrets } from '../template/parts/volumes.ts'
import {
  GATEWAY_CLASS_LABEL,
  GATEWAY_NAME_LABEL,
  type GatewayRequest,
  infrastructureAnnotations,
  MANAGED_LABEL,
  requestedNetwork,
  templateInputOf,
} from './gateway-request.ts'

/** A label value is at most this long. */
const MAX_LABEL = 63

/** In the order in which they are applied: an account, what runs as it, what leads to that, and what may scale or protect it. */
export function kubeGateway(request: GatewayRequest): KubeObject[] {
  const input = templateInputOf(request)
  return [
    object(request, 'v1', 'ServiceAccount', request.serviceAccount, {}),
    object(request, 'apps/v1', 'Deployment', request.name, { spec: deploymentSpec(request, input) }),
    object(request, 'v1', 'Service', request.name, { spec: serviceSpec(request) }),
    object(request, 'autoscaling/v2', 'HorizontalPodAutoscaler', request.name, {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: request.name }, maxReplicas: 1 },
    }),
    object(request, 'policy/v1', 'PodDisruptionBudget', request.name, { spec: { selector: { matchLabels: selectorOf(request) } } }),
  ]
}

const selectorOf = ({ gateway }: GatewayRequest) => ({ [GATEWAY_NAME_LABEL]: gateway.metadata.name })

function object(
  request: GatewayRequest,
  apiVersion: string,
  kind: string,
  name: string,
  rest: Readonly<Record<string, unknown>>,
): KubeObject {
  const { gateway, className, labels } = request
  const { namespace = '', uid = '' } = gateway.metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      annotations: infrastructureAnnotations(request),
      labels: { ...labels, ...selectorOf(request), [GATEWAY_CLASS_LABEL]: className },
      ownerReferences: [{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: gateway.metadata.name, uid }],
    },
    ...rest,
  }
}

function deploymentSpec(request: GatewayRequest, input: TemplateInput): Record<string, unknown> {
  const { name, className, controllerLabel, labels, serviceAccount, settings } = request
  return {
    selector: { matchLabels: selectorOf(request) },
    template: {
      metadata: {
        annotations: {
          ...infrastructureAnnotations(request),
          'istio.io/rev': settings.revision || 'default',
          'prometheus.io/path': '/stats/prometheus',
          'prometheus.io/port': '15020',
          'prometheus.io/scrape': 'true',
        },
        labels: {
          'sidecar.istio.io/inject': 'false',
          'service.istio.io/canonical-name': name.slice(0, MAX_LABEL).replace(/-$/, ''),
          'service.istio.io/canonical-revision': 'latest',
          ...labels,
          ...selectorOf(request),
          [GATEWAY_CLASS_LABEL]: className,
          [MANAGED_LABEL]: controllerLabel,
        },
      },
      spec: {
        securityContext: podSecurity(input),
        serviceAccountName: serviceAccount,
        containers: [container(request, input)],
        volumes: gatewayVolumes(input),
        ...pullSecrets(input),
      },
    },
  }
}

/** The proxy is no root user and yet listens on ports such as 80. */
function podSecurity({ values }: TemplateInput): Record<string, unknown> {
  const own = valueAt(values, 'gateways.securityContext')
  if (isRecord(own) && Object.keys(own).length > 0) return own
  const seccompProfile = valueAt(values, 'gateways.seccompProfile')
  return {
    sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
    ...(isRecord(seccompProfile) && Object.keys(seccompProfile).length > 0 ? { seccompProfile } : {}),
  }
}

function container(request: GatewayRequest, input: TemplateInput): Record<string, unknown> {
  const { values } = input
  const resources = valueAt(values, 'global.proxy.resources')
  const lifecycle = valueAt(values, 'global.proxy.lifecycle')
  const network = requestedNetwork(request)
  return {
    name: 'istio-proxy',
    image: containerImage(input, 'global.proxy.image'),
    ...(isRecord(resources) ? { resources } : {}),
    ...present('imagePullPolicy', textAt(values, 'global.imagePullPolicy')),
    securityContext: {
      capabilities: { drop: ['ALL'] },
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsUser: input.proxyUid ?? PROXY_ID,
      runAsGroup: input.proxyGid ?? PROXY_ID,
      runAsNonRoot: true,
    },
    ports: [
      { containerPort: 15020, name: 'metrics', protocol: 'TCP' },
      { containerPort: 15021, name: 'status-port', protocol: 'TCP' },
      { containerPort: 15090, name: 'http-envoy-prom', protocol: 'TCP' },
    ],
    args: argsOf(input),
    ...(isRecord(lifecycle) && Object.keys(lifecycle).length > 0 ? { lifecycle } : {}),
    env: [...gatewayEnv(input), ...(network ? [env('ISTIO_META_REQUESTED_NETWORK_VIEW', network)] : [])],
    startupProbe: probe({ initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 30 }),
    readinessProbe: probe({ initialDelaySeconds: 0, periodSeconds: 15, failureThreshold: 4 }),
    volumeMounts: gatewayMounts(input),
  }
}

function argsOf(input: TemplateInput): string[] {
  const { values } = input
  const stsPort = textAt(values, 'global.sts.servicePort', '0')
  return [
    'proxy',
    'router',
    '--domain',
    `$(POD_NAMESPACE).svc.${textAt(values, 'global.proxy.clusterDomain', 'cluster.local')}`,
    '--proxyLogLevel',
    annotationOr(input, 'sidecar.istio.io/logLevel', 'global.proxy.logLevel'),
    '--proxyComponentLogLevel',
    annotationOr(input, 'sidecar.istio.io/componentLogLevel', 'global.proxy.componentLogLevel'),
    '--log_output_level',
    annotationOr(input, 'sidecar.istio.io/agentLogLevel', 'global.logging.level'),
    ...(stsPort !== '0' && stsPort !== '' ? [`--stsPort=${stsPort}`] : []),
    ...(flagAt(values, 'global.logAsJson') ? ['--log_as_json'] : []),
  ]
}

const probe = (timing: Readonly<Record<string, number>>) => ({
  httpGet: { path: '/healthz/ready', port: 15021, scheme: 'HTTP' },
  ...timing,
  successThreshold: 1,
  timeoutSeconds: 1,
})

function serviceSpec(request: GatewayRequest): Record<string, unknown> {
  const { gateway, serviceType, ports } = request
  const addresses = isRecord(gateway.spec) && Array.isArray(gateway.spec['addresses']) ? gateway.spec['addresses'] : []
  const asked: unknown = isRecord(addresses[0]) ? addresses[0]['value'] : undefined
  return {
    ipFamilyPolicy: 'PreferDualStack',
    ports: ports.map(({ name, port, appProtocol }) => ({ name, port, protocol: 'TCP', appProtocol })),
    selector: selectorOf(request),
    ...(serviceType === 'LoadBalancer' && typeof asked === 'string' && asked !== '' ? { loadBalancerIP: asked } : {}),
    type: serviceType,
  }
}
