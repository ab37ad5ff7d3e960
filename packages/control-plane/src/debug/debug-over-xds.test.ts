/** Debug pages as the real istioctl asks for them: over xDS, as the account of the control plane, and as others. */
import { fromBinary } from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { status as Status } from '@grpc/grpc-js'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { ClustersConfigDumpSchema } from '@lateen/envoy/gen/envoy/admin/v3/config_dump_shared_pb.js'
import { NodeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { inquire } from '@lateen/xds/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Inquiry, openInquiry } from '../../testdata/inquirer.ts'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { openStream, type TestStream } from '../../testdata/test-proxy.ts'
import type { ControlPlane } from '../control-plane.ts'

const PROXY = 'seen-1.shop'

let cluster: TestCluster
let plane: ControlPlane
let roots = ''
let proxy: TestStream
let operator: Inquiry

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('shop')
  await cluster.client.create(RESOURCE_TYPES.Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: { selector: { app: 'cart' }, ports: [{ name: 'http', port: 80 }] },
  })
  plane = await cluster.startControlPlane()
  const map = await cluster.until(RESOURCE_TYPES.ConfigMap, 'shop', 'istio-ca-root-cert', () => true)
  roots = rootsOf(map)
  proxy = openStream({ port: plane.ports.grpc ?? 0 }, { id: `sidecar~10.0.0.9~${PROXY}~shop.svc.cluster.local`, namespace: 'shop' })
  proxy.subscribe(TYPE_URL.CDS)
  proxy.ack(await proxy.next(TYPE_URL.CDS))
  operator = openInquiry({ ...secure(), token: await cluster.token('istio-system', 'istiod') })
}, 60_000)

afterAll(async () => {
  operator.close()
  proxy.close()
  await cluster.close()
}, 60_000)

const rootsOf = ({ data }: KubeObject): string =>
  typeof data === 'object' && data !== null && 'root-cert.pem' in data ? String(data['root-cert.pem']) : ''
const secure = () => ({ port: plane.ports.secureGrpc ?? 0, roots })

async function page(inquiry: Inquiry, name: string): Promise<unknown> {
  const { resources } = await inquiry.ask('istio.io/debug', [name])
  expect(resources.map(({ typeUrl }) => typeUrl)).toEqual(['istio.io/debug'])
  return JSON.parse(Buffer.from(resources[0]?.value ?? []).toString('utf8'))
}

/** The texts of a field of a message, whatever else it holds. */
function textsAt(bytes: Uint8Array, field: number): Uint8Array[] {
  const reader = new BinaryReader(bytes)
  const found: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (number === field) found.push(reader.bytes())
    else reader.skip(type)
  }
  return found
}

test('a page is asked for by its name, with its query', async () => {
  expect(await page(operator, 'list')).toContain('registryz')
  expect(await page(operator, 'connections')).toMatchObject({ totalClients: 1 })
  expect(await page(operator, `config_dump?proxyID=${PROXY}`)).toMatchObject({
    configs: expect.arrayContaining([expect.objectContaining({ '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump' })]),
  })
})

test('an acknowledgement is no question, and the answer has a version', async () => {
  const before = operator.answers
  const { versionInfo, nonce } = await operator.ask('istio.io/debug', ['list'])
  expect([versionInfo, nonce].every((text) => text !== '')).toBe(true)
  await operator.ask('istio.io/debug', ['list'])
  expect(operator.answers).toBe(before + 2)
})

test('the states of proxies come as Envoy names them, with the control plane that tells', async () => {
  const { resources, controlPlane } = await operator.ask('istio.io/debug/syncz')
  expect(resources.map(({ typeUrl }) => typeUrl)).toEqual(['type.googleapis.com/envoy.service.status.v3.ClientConfig'])
  const [config] = resources
  const [node] = textsAt(config?.value ?? new Uint8Array(), 1)
  expect(fromBinary(NodeSchema, node ?? new Uint8Array())).toMatchObject({ id: PROXY, metadata: { CLUSTER_ID: 'Kubernetes' } })
  const types = textsAt(config?.value ?? new Uint8Array(), 3).map((bytes) => Buffer.from(textsAt(bytes, 1)[0] ?? []).toString())
  expect(types).toEqual([TYPE_URL.CDS, TYPE_URL.LDS, TYPE_URL.EDS, TYPE_URL.RDS, TYPE_URL.ECDS])
  expect(JSON.parse(controlPlane?.identifier ?? '{}')).toMatchObject({ Component: 'istiod' })
})

test('a dump comes in the parts of Envoy; of a proxy of another replica there is none', async () => {
  const { resources } = await operator.ask('istio.io/debug/config_dump', [PROXY])
  const clusters = resources.find(({ typeUrl }) => typeUrl.endsWith('ClustersConfigDump'))
  const dump = fromBinary(ClustersConfigDumpSchema, clusters?.value ?? new Uint8Array())
  expect(dump.dynamicActiveClusters.every(({ cluster: any }) => any?.typeUrl === TYPE_URL.CDS)).toBe(true)
  expect(dump.dynamicActiveClusters.length).toBeGreaterThan(0)
  expect((await operator.ask('istio.io/debug/config_dump', ['elsewhere.shop'])).resources).toEqual([])
})

test('services and their endpoints have the field names that dashboards read', async () => {
  expect(await page(operator, 'registryz')).toContainEqual(
    expect.objectContaining({
      hostname: 'cart.shop.svc.cluster.local',
      ports: [{ name: 'http', port: 80, protocol: 'HTTP' }],
      Attributes: expect.objectContaining({
        Name: 'cart',
        Namespace: 'shop',
        ServiceRegistry: 'Kubernetes',
        LabelSelectors: { app: 'cart' },
      }),
    }),
  )
})

test('every page that is listed answers with JSON, those about a proxy when one is named', async () => {
  const names = await page(operator, 'list')
  expect(Array.isArray(names) && names.length).toBeGreaterThan(20)
  for (const name of Array.isArray(names) ? names : []) {
    const isAboutProxy = ['config_dump', 'ecdsz', 'edsz', 'ndsz'].includes(name)
    expect(await page(operator, isAboutProxy ? `${name}?proxyID=${PROXY}` : name), name).toBeDefined()
  }
})

test('policies, telemetry and kinds have the shapes of istiod', async () => {
  await cluster.client.create(RESOURCE_TYPES.AuthorizationPolicy, {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'readers', namespace: 'shop' },
    spec: { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] },
  })
  await expect
    .poll(() => page(operator, 'authorizationz'))
    .toEqual({
      authorization_policies: {
        namespace_to_policies: { shop: [expect.objectContaining({ name: 'readers', namespace: 'shop', spec: expect.anything() })] },
        root_namespace: 'istio-system',
      },
    })
  expect(await page(operator, 'telemetryz')).toEqual({ telemetries: { namespaceToTelemetries: {}, rootNamespace: 'istio-system' } })
  expect(await page(operator, 'resourcesz')).toContainEqual({ group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' })
  expect(await page(operator, 'clusterz')).toEqual([{ id: 'Kubernetes', syncStatus: 'synced' }])
  expect(await page(operator, 'cachez?sizes=true')).toMatchObject({
    [TYPE_URL.CDS]: expect.stringMatching(/^\d+(\.\d)? k?B$/),
    total: expect.any(String),
  })
})

test('endpoints are listed by host, namespace and where they were learnt', async () => {
  await cluster.client.create(RESOURCE_TYPES.EndpointSlice, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'cart-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'cart' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.7'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: 8080 }],
  })
  await expect
    .poll(() => page(operator, 'endpointz'))
    .toMatchObject({
      'cart.shop.svc.cluster.local': {
        shop: {
          Shards: { 'Kubernetes/Kubernetes': [{ Addresses: ['10.0.0.7'], EndpointPort: 8080, ServicePortName: 'http', HealthStatus: 0 }] },
        },
      },
    })
})

test('which proxies have an object is told with its generation', async () => {
  await cluster.client.create(RESOURCE_TYPES.DestinationRule, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: { host: 'cart', trafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } } },
  })
  const response = await proxy.next(TYPE_URL.CDS)
  const name = 'config_distribution?resource=networking.istio.io/DestinationRule/shop/cart'
  expect(await page(operator, name)).toMatchObject({ inForce: true, generation: 1, proxies: [{ proxy: PROXY, state: 'STALE' }] })
  proxy.ack(response)
  await expect.poll(() => page(operator, name)).toMatchObject({ proxies: [{ proxy: PROXY, state: 'SYNCED' }] })
})

test('other accounts see the proxies of their own namespace only, and who proves nothing sees nothing', async () => {
  const refused = expect.objectContaining({ code: Status.PERMISSION_DENIED })
  const asked = async (token: string | undefined, typeUrl: string, names: readonly string[]) => {
    const inquiry = openInquiry({ ...(token === undefined ? { port: plane.ports.grpc ?? 0 } : { ...secure(), token }) })
    try {
      return await inquiry.ask(typeUrl, names)
    } finally {
      inquiry.close()
    }
  }
  const shop = await cluster.token('shop', 'cart')
  expect((await asked(shop, 'istio.io/debug/config_dump', [PROXY])).resources.length).toBeGreaterThan(0)
  await expect(asked(shop, 'istio.io/debug/config_dump', ['vault-1.bank'])).rejects.toEqual(refused)
  await expect(asked(shop, 'istio.io/debug/syncz', [])).rejects.toEqual(refused)
  await expect(asked(shop, 'istio.io/debug', ['configz'])).rejects.toEqual(refused)
  await expect(asked(undefined, 'istio.io/debug/syncz', [])).rejects.toEqual(refused)
})

test('a stream of questions subscribes to nothing', async () => {
  const inquiry = openInquiry({ ...secure(), token: await cluster.token('istio-system', 'istiod') })
  await inquiry.ask('istio.io/debug', ['list'])
  await expect(inquiry.ask(TYPE_URL.CDS)).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT })
  inquiry.close()
})

test('the own client asks as istioctl does, and checks whom it asks', async () => {
  const asked = {
    address: `127.0.0.1:${plane.ports.secureGrpc ?? 0}`,
    nodeId: 'sidecar~127.0.0.1~a.b~b.svc.cluster.local',
    timeoutMs: 5_000,
  }
  const question = { ...asked, typeUrl: 'istio.io/debug', names: ['list'], token: await cluster.token('istio-system', 'istiod') }
  const serverName = 'istiod.istio-system.svc'
  const { resources, identifier } = await inquire({ ...question, tls: { roots, serverName } })
  expect(Buffer.from(resources[0]?.bytes ?? []).toString()).toContain('"syncz"')
  expect(JSON.parse(identifier)).toMatchObject({ Component: 'istiod' })
  await expect(inquire({ ...question, tls: { roots, serverName: 'somebody.else' } })).rejects.toThrow()
  await expect(inquire({ ...question, tls: { serverName } })).rejects.toThrow()
  expect((await inquire({ ...question, tls: { serverName, insecure: true } })).resources).toHaveLength(1)
})
