import { gatewayApiCrds, type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'

const { CustomResourceDefinition, HTTPRoute, Ingress, KubernetesGateway, Service } = RESOURCE_TYPES
const GATEWAY_GROUP = 'gateway.networking.k8s.io'
const ServiceEntry: ResourceType = {
  group: 'networking.istio.io',
  version: 'v1',
  kind: 'ServiceEntry',
  plural: 'serviceentries',
  namespaced: true,
}

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startTestCluster()
  for (const crd of gatewayApiCrds()) await cluster.client.create(CustomResourceDefinition, crd)
  await cluster.createNamespace('shop')
  await cluster.startControlPlane({
    PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER: 'false',
    PILOT_ENABLE_ANALYSIS: 'true',
    PILOT_ANALYSIS_INTERVAL: '50ms',
  })
}, 60_000)
afterAll(() => cluster.close(), 60_000)

const status = (object: KubeObject): Readonly<Record<string, unknown>> => Object.fromEntries(Object.entries(Object(object.status)))
const gatewayApi = (kind: string, name: string, spec: unknown): KubeObject => ({
  apiVersion: `${GATEWAY_GROUP}/v1`,
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
})
/** Conditions of a route's parents, by controller and type. */
function verdicts(route: KubeObject): Record<string, string> {
  const parents = status(route)['parents']
  const found: Record<string, string> = {}
  for (const parent of Array.isArray(parents) ? parents : []) {
    for (const condition of parent.conditions)
      found[`${parent.controllerName} ${condition.type}`] = `${condition.status} ${condition.reason}`
  }
  return found
}

test('hosts of a ServiceEntry get addresses, which stay when the entry changes', async () => {
  const entry: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'pay', namespace: 'shop' },
    spec: { hosts: ['pay.example', 'refund.example'], resolution: 'DNS', ports: [{ number: 443, name: 'tls', protocol: 'TLS' }] },
  }
  await cluster.client.create(ServiceEntry, entry)
  const written = await cluster.until(ServiceEntry, 'shop', 'pay', (object) => Array.isArray(status(object)['addresses']))
  const addresses = status(written)['addresses']
  expect(addresses).toEqual([
    { host: 'pay.example', value: expect.stringMatching(/^240\.240\.\d+\.\d+$/) },
    { host: 'pay.example', value: expect.stringMatching(/^2001:2::/) },
    { host: 'refund.example', value: expect.stringMatching(/^240\.240\.\d+\.\d+$/) },
    { host: 'refund.example', value: expect.stringMatching(/^2001:2::/) },
  ])
  await cluster.client.patch(ServiceEntry, 'shop', 'pay', { spec: { hosts: ['pay.example', 'refund.example', 'fee.example'] } })
  const grown = await cluster.until(ServiceEntry, 'shop', 'pay', (object) => JSON.stringify(status(object)).includes('fee.example'))
  expect(status(grown)['addresses']).toEqual(expect.arrayContaining(Array.isArray(addresses) ? addresses : []))
})

test('an entry that opts out gets no address', async () => {
  const spec = { hosts: ['quiet.example'], resolution: 'DNS', ports: [{ number: 443, name: 'tls', protocol: 'TLS' }] }
  const entry = (name: string, labels: Record<string, string>): KubeObject => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'shop', labels },
    spec,
  })
  await cluster.client.create(ServiceEntry, entry('quiet', { 'networking.istio.io/enable-autoallocate-ip': 'false' }))
  await cluster.client.create(ServiceEntry, entry('quiet-later', {}))
  await cluster.until(ServiceEntry, 'shop', 'quiet-later', (object) => Array.isArray(status(object)['addresses']))
  expect(status(await cluster.client.get(ServiceEntry, 'shop', 'quiet'))['addresses']).toBeUndefined()
})

test('an Ingress of the mesh is reached where the ingress gateway is', async () => {
  await cluster.createNamespace('istio-system').catch(() => undefined)
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'istio-ingressgateway', namespace: 'istio-system' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], externalIPs: ['203.0.113.7'] },
  }
  await cluster.client.create(Service, service)
  await cluster.client.create(Ingress, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'front', namespace: 'shop', annotations: { 'kubernetes.io/ingress.class': 'istio' } },
    spec: { defaultBackend: { service: { name: 'cart', port: { number: 80 } } } },
  })
  const front = await cluster.until(Ingress, 'shop', 'front', (object) => JSON.stringify(status(object)).includes('203'))
  expect(status(front)['loadBalancer']).toEqual({ ingress: [{ ip: '203.0.113.7' }] })
})

test('a route says where it attaches and what is missing, and the entries of other controllers stay', async () => {
  await cluster.client.create(
    KubernetesGateway,
    gatewayApi('Gateway', 'edge', {
      gatewayClassName: 'istio',
      listeners: [{ name: 'web', port: 80, protocol: 'HTTP', hostname: '*.shop.example' }],
    }),
  )
  const spec = { parentRefs: [{ name: 'edge' }], hostnames: ['a.shop.example'], rules: [{ backendRefs: [{ name: 'nobody', port: 80 }] }] }
  await cluster.client.create(HTTPRoute, gatewayApi('HTTPRoute', 'cart', spec))
  const first = await cluster.until(HTTPRoute, 'shop', 'cart', (object) => 'istio.io/gateway-controller Accepted' in verdicts(object))
  expect(verdicts(first)).toEqual({
    'istio.io/gateway-controller Accepted': 'True Accepted',
    'istio.io/gateway-controller ResolvedRefs': 'False BackendNotFound',
  })
  const parents = status(first)['parents']
  const foreign = {
    controllerName: 'example.com/other',
    parentRef: { name: 'other' },
    conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  }
  const both = { status: { parents: [foreign, ...(Array.isArray(parents) ? parents : [])] } }
  await cluster.client.patch(HTTPRoute, 'shop', 'cart', both, { subresource: 'status' })
  await cluster.client.patch(HTTPRoute, 'shop', 'cart', { spec: { hostnames: ['elsewhere.example'] } })
  const second = await cluster.until(HTTPRoute, 'shop', 'cart', (object) => JSON.stringify(verdicts(object)).includes('NoMatching'))
  expect(verdicts(second)).toEqual({
    'example.com/other Accepted': 'True Accepted',
    'istio.io/gateway-controller Accepted': 'False NoMatchingListenerHostname',
    'istio.io/gateway-controller ResolvedRefs': 'False BackendNotFound',
  })
})

test('what somebody takes out of a status is written again, but not for ever', async () => {
  const wipe = () => cluster.client.patch(KubernetesGateway, 'shop', 'edge', { status: { conditions: [] } }, { subresource: 'status' })
  const accepted = (object: KubeObject) => JSON.stringify(status(object)).includes('"Accepted"')
  const isWritten = (object: KubeObject) => accepted(object) && JSON.stringify(status(object)['conditions'] ?? []) !== '[]'
  for (let i = 0; i < 3; i++) {
    await cluster.until(KubernetesGateway, 'shop', 'edge', isWritten)
    await wipe()
  }
  await cluster.until(KubernetesGateway, 'shop', 'edge', isWritten)
  await wipe()
  // Another object's status, written later, shows that the wiped one had its turn.
  await cluster.client.create(
    KubernetesGateway,
    gatewayApi('Gateway', 'late', { gatewayClassName: 'istio', listeners: [{ name: 'web', port: 80, protocol: 'HTTP' }] }),
  )
  await cluster.until(KubernetesGateway, 'shop', 'late', isWritten)
  expect(status(await cluster.client.get(KubernetesGateway, 'shop', 'edge'))['conditions']).toEqual([])
})

test('findings of analysis come and go in the status, where that is asked for', async () => {
  const VirtualService: ResourceType = { ...ServiceEntry, kind: 'VirtualService', plural: 'virtualservices' }
  const spec = (host: string) => ({ hosts: ['web'], http: [{ route: [{ destination: { host } }] }] })
  const rule: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'web', namespace: 'shop' },
    spec: spec('nobody'),
  }
  await cluster.client.create(VirtualService, rule)
  const told = await cluster.until(VirtualService, 'shop', 'web', (object) => Array.isArray(status(object)['validationMessages']))
  expect(status(told)['validationMessages']).toEqual([
    expect.objectContaining({ type: { name: 'ReferencedResourceNotFound', code: 'IST0101' }, level: 'ERROR' }),
  ])
  await cluster.client.create(Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nobody', namespace: 'shop' },
    spec: { ports: [{ port: 80 }] },
  })
  await cluster.until(VirtualService, 'shop', 'web', (object) => status(object)['validationMessages'] === undefined)
})
