/** The ingress gateway: a pod that the injector's template `gateway` fills in, and a Service of type LoadBalancer. */
import type { KubeObject } from '@lateen/api'
import { commonLabels, kubeObject } from './object.ts'
import { families, type GatewayOptions, type Installation } from './options.ts'

const NAME = 'istio-ingressgateway'
const SELECTOR = { app: NAME, istio: 'ingressgateway' }

/** The gateway's objects; none when the installation has no gateway. */
export function ingressGateway(installation: Installation): KubeObject[] {
  const { gateway, namespace } = installation
  if (!gateway) return []
  const labels = commonLabels(installation, NAME, SELECTOR)
  return [
    kubeObject(
      'v1',
      'Service',
      { name: NAME, namespace, labels },
      { spec: { type: 'LoadBalancer', ...families(installation), selector: SELECTOR, ports: servicePorts(gateway) } },
    ),
    kubeObject('apps/v1', 'Deployment', { name: NAME, namespace, labels }, { spec: deploymentSpec(labels, gateway) }),
  ]
}

function deploymentSpec(labels: Readonly<Record<string, string>>, gateway: Required<GatewayOptions>): Record<string, unknown> {
  const ports = [15021, ...servicePorts(gateway).map((port) => port.targetPort)]
  return {
    replicas: gateway.replicas,
    strategy: { rollingUpdate: { maxSurge: '100%', maxUnavailable: '25%' } },
    selector: { matchLabels: SELECTOR },
    template: {
      metadata: {
        labels: { ...labels, 'istio.io/dataplane-mode': 'none', 'sidecar.istio.io/inject': 'true' },
        annotations: {
          'inject.istio.io/templates': 'gateway',
          'prometheus.io/path': '/stats/prometheus',
          'prometheus.io/port': '15020',
          'prometheus.io/scrape': 'true',
        },
      },
      spec: {
        serviceAccountName: 'istio-ingressgateway-service-account',
        containers: [
          {
            name: 'istio-proxy',
            // Filled in by the injector, as is everything else about this container.
            image: 'auto',
            ports: [...new Set(ports)].map((containerPort) => ({ containerPort, protocol: 'TCP' })),
            // The readiness probe comes every 15 seconds only: without this one a gateway that serves would count as unready for as long.
            startupProbe: { httpGet: { path: '/healthz/ready', port: 15021 }, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
            resources: { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '100m', memory: '128Mi' } },
            securityContext: {
              allowPrivilegeEscalation: false,
              capabilities: { drop: ['ALL'] },
              privileged: false,
              readOnlyRootFilesystem: true,
            },
          },
        ],
      },
    },
  }
}

interface ServicePort {
  readonly name: string
  readonly port: number
  readonly protocol: 'TCP'
  readonly targetPort: number
}

function servicePorts(gateway: Required<GatewayOptions>): ServicePort[] {
  const port = (name: string, number: number, targetPort: number): ServicePort => ({ name, port: number, protocol: 'TCP', targetPort })
  return [
    port('status-port', 15021, 15021),
    port('http2', gateway.httpPort, 8080),
    port('https', gateway.httpsPort, 8443),
    ...gateway.extraPorts.map((extra) => port(extra.name, extra.port, extra.targetPort ?? extra.port)),
  ]
}
