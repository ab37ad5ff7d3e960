import { gatewayApiCrds, type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'

const {
  ConfigMap,
  CustomResourceDefinition,
  Event,
  GatewayClass,
  KubernetesGateway,
  MutatingWebhookConfiguration,
  Service,
  ServiceAccount,
} = RESOURCE_TYPES
const Deployment: ResourceType = { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true }
const GROUP = 'gateway.networking.k8s.io'
const LISTENERS = [{ name: 'web', port: 80, protocol: 'HTTP' }]

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startTestCluster()
  for (const crd of gatewayApiCrds()) await cluster.client.create(CustomResourceDefinition, crd)
  for (const name of ['shop', 'istio-system']) await cluster.createNamespace(name).catch(() => undefined)
  await cluster.createNamespace('elsewhere', { 'istio.io/rev': 'canary' })
  await cluster.startControlPlane()
}, 60_000)
afterAll(() => cluster.close(), 60_000)

const gateway = (name: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'Gateway',
  metadata: { name, namespace: 'shop', ...metadata },
  spec: { gatewayClassName: 'istio', listeners: LISTENERS, ...spec },
})
const deploy = (name: string, spec: object = {}, metadata: object = {}) =>
  cluster.client.create(KubernetesGateway, gateway(name, spec, metadata))
const made = (type: ResourceType, name: string, holds: (object: KubeObject) => boolean = () => true) =>
  cluster.until(type, 'shop', name, holds)
const specOf = (object: KubeObject): Record<string, never> => Object(object.spec)
/** After this one is deployed, so is whatever was to be deployed before it. */
async function settled(): Promise<void> {
  const name = `last-${performance.now().toFixed(0)}`
  await deploy(name)
  await made(Service, `${name}-istio`)
}
async function isThere(type: ResourceType, name: string, namespace = 'shop'): Promise<boolean> {
  try {
    await cluster.client.get(type, namespace, name)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

test('the classes are made, and made again', async () => {
  const istio = await cluster.until(GatewayClass, undefined, 'istio', () => true)
  expect(istio.spec).toMatchObject({ controllerName: 'istio.io/gateway-controller' })
  await cluster.until(GatewayClass, undefined, 'istio-remote', () => true)
  await cluster.client.delete(GatewayClass, undefined, 'istio-remote')
  const remote = await cluster.until(GatewayClass, undefined, 'istio-remote', () => true)
  expect(remote.spec).toMatchObject({ controllerName: 'istio.io/unmanaged-gateway' })
})

test('a Gateway gets an account, a Deployment and a Service, which follow it', async () => {
  const { metadata } = await deploy('front')
  const service = await made(Service, 'front-istio')
  expect(service.metadata.ownerReferences).toMatchObject([{ kind: 'Gateway', name: 'front', uid: metadata.uid }])
  expect(specOf(service)['ports']).toMatchObject([{ port: 15021 }, { name: 'web', port: 80, appProtocol: 'http' }])
  await made(ServiceAccount, 'front-istio')
  await made(Deployment, 'front-istio')
  const listeners = [...LISTENERS, { name: 'bytes', port: 9000, protocol: 'TCP' }]
  await cluster.client.patch(KubernetesGateway, 'shop', 'front', { spec: { listeners } })
  await made(Service, 'front-istio', (object) => JSON.stringify(object.spec).includes('9000'))
  await cluster.client.patch(KubernetesGateway, 'shop', 'front', { spec: { listeners: LISTENERS } })
  await made(Service, 'front-istio', (object) => !JSON.stringify(object.spec).includes('9000'))
})

test('what was changed or deleted is put right, and what others added stays', async () => {
  await deploy('healed')
  await made(Deployment, 'healed-istio')
  await cluster.client.patch(Deployment, 'shop', 'healed-istio', {
    metadata: { labels: { 'example.com/added': 'yes' } },
    spec: { replicas: 3, template: { spec: { serviceAccountName: 'default' } } },
  })
  const account = (object: KubeObject): unknown => Reflect.get(Object(specOf(object)['template']), 'spec').serviceAccountName
  const healed = await made(Deployment, 'healed-istio', (object) => account(object) === 'healed-istio')
  expect(healed.metadata.labels).toHaveProperty('example.com/added')
  expect(specOf(healed)['replicas']).toBe(3)
  const { uid } = (await made(Service, 'healed-istio')).metadata
  await cluster.client.delete(Service, 'shop', 'healed-istio')
  await made(Service, 'healed-istio', (object) => object.metadata.uid !== uid)
})

test('parameters are read from a ConfigMap, and followed; those that cannot be used leave what is there', async () => {
  const parameters = (service: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'parameters', namespace: 'shop' },
    data: { service },
  })
  await deploy('set', { infrastructure: { parametersRef: { group: '', kind: 'ConfigMap', name: 'parameters' } } })
  await settled()
  expect(await isThere(Service, 'set-istio')).toBe(false)
  const told = await cluster.until(Event, 'shop', undefined, (event) => event['reason'] === 'NotDeployed')
  expect(told['message']).toBe('it is not deployed: its infrastructure.parametersRef names ConfigMap parameters, which is not there')
  await cluster.client.create(ConfigMap, parameters('spec: {type: ClusterIP}'))
  await made(Service, 'set-istio', (object) => specOf(object)['type'] === 'ClusterIP')
  await cluster.client.patch(ConfigMap, 'shop', 'parameters', { data: { service: 'metadata: {name: other}' } })
  await settled()
  await made(Service, 'set-istio', (object) => specOf(object)['type'] === 'ClusterIP')
  await cluster.client.patch(ConfigMap, 'shop', 'parameters', { data: { service: 'spec: {type: NodePort}' } })
  await made(Service, 'set-istio', (object) => specOf(object)['type'] === 'NodePort')
})

test('Gateways of other classes, revisions and controllers, and those with addresses, are left alone', async () => {
  await deploy('foreign', { gatewayClassName: 'nginx' })
  await deploy('remote', { gatewayClassName: 'istio-remote' })
  await deploy('addressed', { addresses: [{ type: 'Hostname', value: 'front.example' }] })
  await deploy('canary', {}, { labels: { 'istio.io/rev': 'canary' } })
  await deploy('newer', {}, { annotations: { 'gateway.istio.io/controller-version': '6' } })
  await deploy('revised', {}, { namespace: 'elsewhere' })
  await settled()
  for (const name of ['foreign-nginx', 'remote-istio-remote', 'addressed-istio', 'canary-istio', 'newer-istio'])
    expect(await isThere(Service, name), name).toBe(false)
  expect(await isThere(Service, 'revised-istio', 'elsewhere')).toBe(false)
})

test('a Gateway may name its revision by a tag', async () => {
  await deploy('tagged', {}, { labels: { 'istio.io/rev': 'stable' } })
  await settled()
  expect(await isThere(Service, 'tagged-istio')).toBe(false)
  await cluster.client.create(MutatingWebhookConfiguration, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'tag-stable', labels: { 'istio.io/tag': 'stable', 'istio.io/rev': 'default' } },
    webhooks: [],
  })
  await made(Service, 'tagged-istio')
  await cluster.client.delete(MutatingWebhookConfiguration, undefined, 'tag-stable')
})

test('what somebody else made under the same name stays as it is', async () => {
  const spec = { selector: { app: 'mine' }, ports: [{ port: 1 }] }
  await cluster.client.create(Service, { apiVersion: 'v1', kind: 'Service', metadata: { name: 'taken-istio', namespace: 'shop' }, spec })
  await deploy('taken')
  await made(Deployment, 'taken-istio')
  await settled()
  expect(specOf(await cluster.client.get(Service, 'shop', 'taken-istio'))['selector']).toEqual({ app: 'mine' })
})

test('a Deployment that an older Istio made keeps its selector', async () => {
  const labels = { 'istio.io/gateway-name': 'old' }
  const former: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'old-istio', namespace: 'shop', labels: { 'gateway.istio.io/managed': 'istio.io-gateway-controller' } },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'istio-proxy', image: 'old' }] } },
    },
  }
  await cluster.client.create(Deployment, former)
  await deploy('old')
  const taken = await made(Deployment, 'old-istio', (object) => JSON.stringify(object.spec).includes('proxyv2'))
  expect(specOf(taken)['selector']).toEqual({ matchLabels: labels })
  expect(Reflect.get(Object(specOf(taken)['template']), 'metadata').labels).toMatchObject({
    ...labels,
    [`${GROUP}/gateway-name`]: 'old',
  })
})
