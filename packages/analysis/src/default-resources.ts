/** What an installation brings along, for analysing a cluster's objects without the installation's own: its ingress gateway. */
import type { MeshConfig } from '@lateen/api'
import { type AnyResource, readResource } from './resource.ts'

const LABELS = { istio: 'ingressgateway' }
const PORTS: Readonly<Record<string, number>> = { http2: 80, https: 443, tcp: 31_400, tls: 15_443 }

/** The pod and the service of the ingress gateway; none when the mesh is configured to have none. */
export function defaultResources({ ingressControllerMode, ingressService }: MeshConfig, istioNamespace: string): AnyResource[] {
  if (ingressControllerMode === 'OFF') return []
  const name = ingressService ?? 'istio-ingressgateway'
  const pod = readResource({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${name}-default`, namespace: istioNamespace, labels: LABELS },
    spec: { containers: [{ name: 'istio-proxy' }] },
  })
  const ports = Object.entries(PORTS).map(([port, number]) => ({ name: port, port: number, targetPort: number, protocol: 'TCP' }))
  const service = readResource({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: istioNamespace },
    spec: { ports, selector: LABELS },
  })
  return [pod, service].filter((resource) => resource !== undefined)
}
