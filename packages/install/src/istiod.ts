/** The control plane: Deployment and Service. */
import type { KubeObject } from '@lateen/api'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, revisionSuffix, subtree, text } from './options.ts'

/** The Service that proxies, the API server (webhooks) and Prometheus call. */
export function istiodService(installation: Installation): KubeObject {
  const { namespace } = installation
  const port = (name: string, number: number, targetPort?: number) => ({
    name,
    port: number,
    protocol: 'TCP',
    ...(targetPort === undefined ? {} : { targetPort }),
  })
  return kubeObject(
    'v1',
    'Service',
    { name: istiodName(installation), namespace, labels: labels(installation) },
    {
      spec: {
        ports: [port('grpc-xds', 15010), port('https-dns', 15012), port('https-webhook', 443, 15017), port('http-monitoring', 15014)],
        selector: selector(installation),
      },
    },
  )
}

export function istiodDeployment(installation: Installation): KubeObject {
  const { namespace } = installation
  const replicas = Number(text(installation.values, 'pilot.replicaCount', '1'))
  return kubeObject(
    'apps/v1',
    'Deployment',
    { name: istiodName(installation), namespace, labels: labels(installation) },
    {
      spec: {
        replicas,
        strategy: { rollingUpdate: { maxSurge: '100%', maxUnavailable: '25%' } },
        selector: { matchLabels: installation.revision === 'default' ? { istio: 'pilot' } : selector(installation) },
        template: {
          metadata: {
            labels: { ...labels(installation), 'istio.io/dataplane-mode': 'none', 'sidecar.istio.io/inject': 'false' },
            annotations: { 'prometheus.io/port': '15014', 'prometheus.io/scrape': 'true', 'sidecar.istio.io/inject': 'false' },
          },
          spec: {
            serviceAccountName: istiodName(installation),
            containers: [discovery(installation)],
            volumes: [
              { name: 'local-certs', emptyDir: { medium: 'Memory' } },
              {
                name: 'istio-token',
                projected: { sources: [{ serviceAccountToken: { audience: 'istio-ca', expirationSeconds: 43200, path: 'istio-token' } }] },
              },
              // A CA of the user's own; without it, istiod makes one.
              { name: 'cacerts', secret: { secretName: 'cacerts', optional: true } },
              // A certificate of istiod's own by another issuer, such as istio-csr, and the root that it is checked by.
              { name: 'istio-csr-dns-cert', secret: { secretName: 'istiod-tls', optional: true } },
              { name: 'istio-csr-ca-configmap', configMap: { name: 'istio-ca-root-cert', optional: true } },
            ],
          },
        },
      },
    },
  )
}

export function istiodName(installation: Installation): string {
  return `istiod${revisionSuffix(installation)}`
}

function labels(installation: Installation): Record<string, string> {
  return commonLabels(installation, 'istiod', { app: 'istiod', ...(installation.revision === 'default' ? { istio: 'pilot' } : {}) })
}

function selector(installation: Installation): Record<string, string> {
  return installation.revision === 'default' ? { app: 'istiod', istio: 'pilot' } : { app: 'istiod', 'istio.io/rev': installation.revision }
}

function discovery(installation: Installation): Record<string, unknown> {
  const { values } = installation
  const port = (name: string, containerPort: number) => ({ name, containerPort, protocol: 'TCP' })
  return {
    name: 'discovery',
    image: `${installation.hub}/pilot:${installation.tag}`,
    args: [
      'discovery',
      '--monitoringAddr=:15014',
      `--log_output_level=${text(values, 'global.logging.level', 'default:info')}`,
      ...['--domain', installation.clusterDomain],
      ...['--keepaliveMaxServerConnectionAge', '30m'],
    ],
    ports: [
      port('http-debug', 8080),
      port('grpc-xds', 15010),
      port('tls-xds', 15012),
      port('https-webhooks', 15017),
      port('http-monitoring', 15014),
    ],
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, initialDelaySeconds: 1, periodSeconds: 3, timeoutSeconds: 5 },
    env: environment(installation),
    resources: { requests: { cpu: '100m', memory: '128Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true, runAsNonRoot: true },
    volumeMounts: [
      { name: 'istio-token', mountPath: '/var/run/secrets/tokens', readOnly: true },
      { name: 'local-certs', mountPath: '/var/run/secrets/istio-dns' },
      { name: 'cacerts', mountPath: '/etc/cacerts', readOnly: true },
      { name: 'istio-csr-dns-cert', mountPath: '/var/run/secrets/istiod/tls', readOnly: true },
      { name: 'istio-csr-ca-configmap', mountPath: '/var/run/secrets/istiod/ca', readOnly: true },
    ],
  }
}

function environment(installation: Installation): Record<string, unknown>[] {
  const { values } = installation
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } })
  const own = Object.entries(subtree(values, 'pilot.env')).map(([name, value]) => ({ name, value: String(value) }))
  const fixed = [
    { name: 'REVISION', value: installation.revision },
    { name: 'PILOT_CERT_PROVIDER', value: text(values, 'global.pilotCertProvider', 'istiod') },
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    { name: 'CA_TRUSTED_NODE_ACCOUNTS', value: `${installation.namespace}/ztunnel` },
    { name: 'PILOT_ENABLE_ANALYSIS', value: 'false' },
    { name: 'CLUSTER_ID', value: text(values, 'global.multiCluster.clusterName', '') || 'Kubernetes' },
  ]
  const names = new Set(own.map((variable) => variable.name))
  return [...fixed.filter((variable) => !names.has(variable.name)), ...own]
}
