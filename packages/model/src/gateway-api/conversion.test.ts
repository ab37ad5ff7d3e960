/**
 * The Gateway API's objects as Istio's: cases of input and expected Gateways and VirtualServices, from outside the repository. Where
 * they are not there, the tests are skipped, visibly.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { Graph } from '@lateen/graph'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { applyChange, createInputs, createModel, DEFAULT_SWITCHES, meshTraffic } from '../index.ts'

const CASES = process.env['GATEWAY_API_CASES'] ?? join(import.meta.dirname, '../../../../../shared/conformance/gateway-api')

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
        return object('v1', 'Service', namespace, name, { spec: { clusterIP: '10.96.0.1', ports } })
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

const documents = (file: string): KubeObject[] =>
  parseAllDocuments(readFileSync(file, 'utf8'))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((value) => value !== null)

interface Converted {
  readonly spec: unknown
  readonly services?: readonly string[] | undefined
}

function convert(objects: readonly KubeObject[]): Record<string, Converted> {
  const graph = new Graph()
  graph.onError = (label, error) => {
    throw new Error(`${label} threw`, { cause: error })
  }
  const inputs = createInputs(graph)
  const model = createModel(graph, inputs)
  graph.batch(() => {
    inputs.settings.set('', {
      clusterId: 'Kubernetes',
      domain: 'domain.suffix',
      rootNamespace: 'istio-system',
      trustDomain: 'cluster.local',
      trustDomainAliases: [],
      mesh: {},
      networks: undefined,
      switches: DEFAULT_SWITCHES,
      traffic: meshTraffic({}),
    })
    for (const given of [...surroundings(objects), ...objects]) {
      const clusterWide = given.kind === 'Namespace' || given.kind === 'GatewayClass'
      const namespace = given.metadata.namespace ?? (clusterWide ? undefined : 'default')
      applyChange(inputs, { operation: 'set', object: { ...given, metadata: { ...given.metadata, ...(namespace && { namespace }) } } })
    }
  })
  const found: Record<string, Converted> = {}
  for (const key of model.gateways.keys()) {
    const gateway = model.gateways.peek(key)
    if (gateway) found[`Gateway ${key}`] = { spec: plain(gateway.spec), services: gateway.services }
  }
  for (const key of model.virtualServices.keys()) {
    const vs = model.virtualServices.peek(key)
    if (vs) found[`VirtualService ${key}`] = { spec: plain(vs.spec) }
  }
  return inOrder(found)
}

/** Values that a text of the object would not show are left out, as in the expected objects. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const shown = Object.entries(value).filter(
    ([name, field]) => field !== undefined && !(name === 'mode' && field === 'PASSTHROUGH') && !(name === 'host' && field === ''),
  )
  return Object.fromEntries(shown.map(([name, field]) => [name, name === 'destination' && isNowhere(field) ? {} : plain(field)]))
}

/** Destinations that no service has; Istio has a name of its own for those of bytes. */
const isNowhere = (value: unknown) =>
  typeof value === 'object' && value !== null && ['', 'internal.cluster.local'].includes(String(Reflect.get(value, 'host')))

const inOrder = (map: Record<string, Converted>) => Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))

function expectedOf(file: string): Record<string, Converted> {
  const entries = documents(file)
    .filter(({ kind }) => kind === 'Gateway' || kind === 'VirtualService')
    .map(({ kind, metadata, spec }): [string, Converted] => {
      const services = metadata.annotations?.['internal.istio.io/gateway-service']?.split(',')
      return [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, { spec: plain(spec), ...(kind === 'Gateway' && { services }) }]
    })
  return inOrder(Object.fromEntries(entries))
}

describe.skipIf(!existsSync(CASES))('the Gateway API converts as in', () => {
  const names = existsSync(CASES) ? readdirSync(CASES).filter((name) => existsSync(join(CASES, name, 'input.yaml'))) : []
  for (const name of names) {
    test(name, () => {
      expect(convert(documents(join(CASES, name, 'input.yaml')))).toEqual(expectedOf(join(CASES, name, 'expected.yaml')))
    })
  }
})
