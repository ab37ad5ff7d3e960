/** The Services that stand for the cluster itself: `default/kubernetes` (the API server) and `kube-system/kube-dns`. */
import type { KubeObject, ResourceType } from '@lateen/api'
import { ignoreMissing } from '../kube/api-failure.ts'
import { ENDPOINT_SLICE, ENDPOINTS, SERVICE } from '../kube/kinds.ts'
import { SERVICE_NAME_LABEL } from '../kube/service.ts'
import type { ControllerContext } from './context.ts'

interface OwnService {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly clusterIP: string
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string; readonly targetPort: number }[]
}

/** Creates them with their endpoints on the node, or brings them up to date. `apiAddress` is the first address of the service range. */
export async function ensureOwnServices(context: ControllerContext, apiAddress: string): Promise<void> {
  const { node, apiPort } = context
  if (apiPort !== undefined) {
    await ensure(context, {
      namespace: 'default',
      name: 'kubernetes',
      labels: { component: 'apiserver', provider: 'kubernetes' },
      clusterIP: apiAddress,
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: apiPort }],
    })
  }
  await ensure(context, {
    namespace: 'kube-system',
    name: 'kube-dns',
    labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS' },
    clusterIP: node.dnsAddress,
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
      { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
    ],
  })
}

async function ensure(context: ControllerContext, service: OwnService): Promise<void> {
  const { namespace, name, labels, clusterIP, ports } = service
  const metadata = { name, namespace, labels }
  await put(context, SERVICE, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports },
  })
  const targets = ports.map((port) => ({ name: port.name, port: port.targetPort, protocol: port.protocol }))
  await put(context, ENDPOINTS, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name, namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: context.node.address }], ports: targets }],
  })
  await put(context, ENDPOINT_SLICE, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { [SERVICE_NAME_LABEL]: name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [context.node.address], conditions: { ready: true, serving: true, terminating: false } }],
    ports: targets,
  })
}

async function put(context: ControllerContext, type: ResourceType, object: KubeObject): Promise<void> {
  const { namespace, name } = object.metadata
  const known = await ignoreMissing(context.client.get(type, namespace, name))
  if (!known) {
    await context.client.create(type, object)
    return
  }
  const { kind: _kind, apiVersion: _version, metadata: _metadata, ...content } = object
  await context.client.patch(type, namespace, name, content, { type: 'application/merge-patch+json' })
}
