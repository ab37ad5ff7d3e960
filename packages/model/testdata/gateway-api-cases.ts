/** Cases of the Gateway API from outside the repository: their objects, what stands around them, and the model that comes of both. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { Graph } from '@lateen/graph'
import { parseAllDocuments } from 'yaml'
import { applyChange, createInputs, createModel, type MeshModel } from '../src/index.ts'
import { plainSettings } from './settings.ts'

export const CASES = process.env['GATEWAY_API_CASES'] ?? join(import.meta.dirname, '../../../../shared/conformance/gateway-api')

const PEM = (kind: string) => btoa(`-----BEGIN ${kind}-----\n-----END ${kind}-----\n`)
const object = (apiVersion: string, kind: string, namespace: string, name: string, rest: Record<string, unknown> = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace && { namespace }) },
  ...rest,
})
const certificate = (namespace: string, name: string) =>
  object('v1', 'Secret', namespace, name, { data: { 'tls.crt': PEM('CERTIFICATE'), 'tls.key': PEM('PRIVATE KEY') } })

/** What stands in the cluster in every case. */
function surroundings(objects: readonly KubeObject[]): KubeObject[] {
  const { services } = JSON.parse(readFileSync(join(CASES, 'services.json'), 'utf8')) as {
    readonly services: readonly { readonly hostname: string; readonly ports: readonly { readonly name: string; readonly port: number }[] }[]
  }
  const trust = { data: { 'ca.crt': atob(PEM('CERTIFICATE')) } }
  return [
    ...services
      .filter(({ hostname }) => hostname.endsWith('.svc.domain.suffix'))
      .map(({ hostname, ports }) => {
        const [name = '', namespace = ''] = hostname.split('.')
        const reached = name === 'istio-ingressgateway' ? { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } : {}
        return object('v1', 'Service', namespace, name, { spec: { clusterIP: '10.96.0.1', ports }, status: reached })
      }),
    object('discovery.k8s.io/v1', 'EndpointSlice', 'istio-system', 'istio-ingressgateway-1', {
      metadata: {
        name: 'istio-ingressgateway-1',
        namespace: 'istio-system',
        labels: { 'kubernetes.io/service-name': 'istio-ingressgateway' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.1'] }],
      ports: (services.find(({ hostname }) => hostname.startsWith('istio-ingressgateway.'))?.ports ?? []).map(({ name, port }) => ({
        name,
        port: port === 80 ? 8080 : port,
      })),
    }),
    object('networking.istio.io/v1', 'ServiceEntry', 'istio-system', 'example', {
      spec: {
        hosts: ['example.com'],
        resolution: 'STATIC',
        ports: [
          { name: 'http', number: 80, protocol: 'HTTP' },
          { name: 'tcp', number: 34000, protocol: 'TCP' },
        ],
        endpoints: [{ address: '10.0.0.2' }],
      },
    }),
    certificate('istio-system', 'my-cert-http'),
    certificate('istio-system', 'my-cert-http2'),
    certificate('cert', 'cert'),
    certificate('bookinfo', 'bookinfo-secret'),
    certificate('group-namespace1', 'my-cert-http'),
    object('v1', 'Secret', 'istio-system', 'malformed', { data: { 'tls.crt': btoa('nonsense'), 'tls.key': btoa('nonsense') } }),
    object('v1', 'ConfigMap', 'istio-system', 'my-cert-http', trust),
    object('v1', 'ConfigMap', 'default', 'auth-cert', trust),
    object('v1', 'ConfigMap', 'istio-system', 'malformed', { data: { 'not-ca.crt': 'nonsense' } }),
    // The namespaces of a case are those of its objects, labelled with the first part of their names.
    ...[...new Set(objects.map(({ metadata }) => metadata.namespace ?? 'default'))].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'istio.io/test-name-part': name.split('-')[0] ?? '' } },
    })),
  ]
}

export const documents = (file: string): KubeObject[] =>
  parseAllDocuments(readFileSync(file, 'utf8'))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((value) => value !== null)

/** Names of the cases; none where they are not there. */
export const caseNames = (): readonly string[] =>
  existsSync(CASES) ? readdirSync(CASES).filter((name) => existsSync(join(CASES, name, 'input.yaml'))) : []

/** The mesh of the objects of a case. */
export function modelOf(objects: readonly KubeObject[]): { readonly graph: Graph; readonly model: MeshModel } {
  const graph = new Graph()
  graph.onError = (label, error) => {
    throw new Error(`${label} threw`, { cause: error })
  }
  const inputs = createInputs(graph)
  const model = createModel(graph, inputs)
  graph.batch(() => {
    inputs.settings.set('', plainSettings('domain.suffix'))
    for (const given of [...surroundings(objects), ...objects]) {
      const clusterWide = given.kind === 'Namespace' || given.kind === 'GatewayClass'
      const namespace = given.metadata.namespace ?? (clusterWide ? undefined : 'default')
      applyChange(inputs, { operation: 'set', object: { ...given, metadata: { ...given.metadata, ...(namespace && { namespace }) } } })
    }
  })
  return { graph, model }
}
