import { type KubeObject, RESOURCE_TYPES, type WorkloadEntrySpec } from '@lateen/api'
import { SessionRefused, type XdsNode } from '@lateen/xds'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { conditionsAfter, fateOf } from './entry.ts'
import { type ConnectedWorkload, createWorkloadRegistry, type WorkloadRegistry } from './registry.ts'

const { WorkloadEntry, WorkloadGroup } = RESOURCE_TYPES
const NAMESPACE = 'machines'
const PROVEN = { namespace: NAMESPACE, serviceAccount: 'db' }
const GRACE_MS = 300

let cluster: TestCluster
const registries: WorkloadRegistry[] = []
const counts: Record<string, number> = {}

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace(NAMESPACE)
  await cluster.client.create(WorkloadGroup, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadGroup',
    metadata: { name: 'db', namespace: NAMESPACE },
    spec: {
      metadata: { labels: { app: 'db', tier: 'group' }, annotations: { owner: 'storage' } },
      template: { serviceAccount: 'db', ports: { sql: 5432 }, labels: { tier: 'template', rack: '7' } },
    },
  })
}, 60_000)
afterAll(() => cluster.close(), 60_000)
afterEach(() => {
  for (const registry of registries.splice(0)) registry.stop()
})

function start(instance = 'istiod-1', client = cluster.client): WorkloadRegistry {
  const count = (name: string) => () => {
    counts[name] = (counts[name] ?? 0) + 1
  }
  const observer = {
    registered: count('registered'),
    updated: count('updated'),
    unregistered: count('unregistered'),
    deleted: count('deleted'),
    failed: count('failed'),
  }
  const options = { register: true, healthChecks: true, checkIdentity: true, graceMs: GRACE_MS, maxAgeMs: 3_600_000 }
  const registry = createWorkloadRegistry({ ...options, client, instance, observer })
  registries.push(registry)
  return registry
}

const node = (address: string, metadata: Readonly<Record<string, unknown>> = {}): XdsNode => ({
  id: `sidecar~${address}~vm.${NAMESPACE}~${NAMESPACE}.svc.cluster.local`,
  cluster: 'db',
  metadata: { NAMESPACE, INSTANCE_IPS: address, AUTO_REGISTER_GROUP: 'db', LABELS: { tier: 'machine' }, ...metadata },
  locality: { region: 'north', zone: 'north-1', subZone: '' },
  userAgentName: 'envoy',
  userAgentVersion: '1.40.0',
})

const until = (name: string, holds: (entry: KubeObject) => boolean) => cluster.until(WorkloadEntry, NAMESPACE, name, holds)
const get = (name: string) => cluster.client.get<KubeObject<WorkloadEntrySpec>>(WorkloadEntry, NAMESPACE, name)
const gone = (name: string) =>
  expect
    .poll(
      () =>
        get(name).then(
          () => 'there',
          (error: { code: number }) => error.code,
        ),
      { timeout: 10_000 },
    )
    .toBe(404)

function connect(registry: WorkloadRegistry, ...parameters: Parameters<WorkloadRegistry['connect']>): ConnectedWorkload {
  const workload = registry.connect(...parameters)
  if (!workload) throw new Error('the node was not taken for a workload with an entry')
  return workload
}

test('an entry is made from the group: the machine goes before the group, and that before its template', async () => {
  const workload = connect(start(), node('10.9.0.1', { NETWORK: 'lab' }), PROVEN)
  await workload.registered
  expect(await get('db-10.9.0.1-lab')).toMatchObject({
    metadata: {
      labels: { app: 'db', tier: 'machine', rack: '7' },
      annotations: { owner: 'storage', 'istio.io/autoRegistrationGroup': 'db', 'istio.io/workloadController': 'istiod-1' },
      ownerReferences: [{ kind: 'WorkloadGroup', name: 'db', controller: true }],
    },
    spec: { address: '10.9.0.1', ports: { sql: 5432 }, serviceAccount: 'db', network: 'lab', locality: 'north/north-1' },
  })
  workload.close()
  await gone('db-10.9.0.1-lab')
})

test('an IPv6 address makes a name that Kubernetes takes', async () => {
  const workload = connect(start(), node('fd00::7'), PROVEN)
  await workload.registered
  expect((await get('db-fd00--7')).spec?.address).toBe('fd00::7')
})

test('health is written as it was last reported, with the reason', async () => {
  const workload = connect(start(), node('10.9.0.2', { PROXY_CONFIG: { readinessProbe: { tcpSocket: { port: 5432 } } } }), PROVEN)
  workload.report(undefined)
  const conditionOf = (entry: KubeObject) =>
    (entry.status as { conditions?: { status: string; message?: string }[] } | undefined)?.conditions?.[0]
  const healthy = await until('db-10.9.0.2', (entry) => conditionOf(entry)?.status === 'True')
  expect(healthy.metadata.annotations).toMatchObject({ 'proxy.istio.io/health-checks-enabled': 'true' })
  workload.report('connection refused')
  expect(conditionOf(await until('db-10.9.0.2', (entry) => conditionOf(entry)?.status === 'False'))).toMatchObject({
    type: 'Healthy',
    message: 'connection refused',
  })
})

test('a connection that ends while another is open changes nothing', async () => {
  const registry = start()
  const first = connect(registry, node('10.9.0.3'), PROVEN)
  const second = connect(registry, node('10.9.0.3'), PROVEN)
  await Promise.all([first.registered, second.registered])
  first.close()
  second.report(undefined)
  await until('db-10.9.0.3', (entry) => entry.status !== undefined)
  expect((await get('db-10.9.0.3')).metadata.annotations).not.toHaveProperty('istio.io/disconnectedAt')
  second.close()
  await gone('db-10.9.0.3')
})

test('a workload that moves to another replica keeps its entry when the first one loses it', async () => {
  const [one, other] = [start('istiod-1'), start('istiod-2')]
  const first = connect(one, node('10.9.0.4'), PROVEN)
  await first.registered
  const second = connect(other, node('10.9.0.4'), PROVEN)
  await second.registered
  first.close()
  second.report(undefined)
  const entry = await until('db-10.9.0.4', ({ status }) => status !== undefined)
  expect(entry.metadata.annotations).toMatchObject({ 'istio.io/workloadController': 'istiod-2' })
  expect(entry.metadata.annotations).not.toHaveProperty('istio.io/disconnectedAt')
})

test('what a control plane has lost sight of, as by a restart, goes as well', async () => {
  const before = start('istiod-9')
  await connect(before, node('10.9.0.5'), PROVEN).registered
  before.stop()
  start('istiod-9')
  await gone('db-10.9.0.5')
})

test('the proven identity must be that of the group, and the group must be there', async () => {
  const registry = start()
  const refused = (metadata: object, proven: typeof PROVEN | undefined) =>
    expect(connect(registry, node('10.9.0.6', { ...metadata }), proven).registered).rejects
  await refused({}, undefined).toThrow(SessionRefused)
  await refused({}, { ...PROVEN, serviceAccount: 'web' }).toThrow('service account "db"')
  await refused({}, { ...PROVEN, namespace: 'elsewhere' }).toThrow('another namespace')
  await refused({ AUTO_REGISTER_GROUP: 'nobody' }, PROVEN).toThrow('no WorkloadGroup machines/nobody')
  await refused({ AUTO_REGISTER_GROUP: '', WORKLOAD_ENTRY: 'nobody' }, PROVEN).toThrow('no WorkloadEntry machines/nobody')
  expect(registry.connect(node('10.9.0.6', { AUTO_REGISTER_GROUP: '' }), PROVEN)).toBeUndefined()
})

test('an entry that was written by hand takes reports where it asks for them, and loses them with its workload', async () => {
  await cluster.client.create(WorkloadEntry, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: 'by-hand', namespace: NAMESPACE, annotations: { 'proxy.istio.io/health-checks-enabled': 'true' } },
    spec: { address: '10.9.0.7', serviceAccount: 'db' },
  })
  const workload = connect(start(), node('10.9.0.7', { AUTO_REGISTER_GROUP: '', WORKLOAD_ENTRY: 'by-hand' }), PROVEN)
  workload.report('not yet')
  await until('by-hand', ({ status }) => JSON.stringify(status ?? {}).includes('not yet'))
  workload.close()
  await until('by-hand', ({ status }) => !JSON.stringify(status ?? {}).includes('Healthy'))
})

test('entries go when their time is over, and not before', () => {
  const periods = { graceMs: 10_000, maxAgeMs: 3_600_000 }
  const now = Date.parse('2030-01-01T12:00:00Z')
  const entry = (annotations: Readonly<Record<string, string>>): KubeObject => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: 'db', namespace: NAMESPACE, annotations },
  })
  const registered = { 'istio.io/autoRegistrationGroup': 'db' }
  const at = (field: string, time: string) => entry({ ...registered, [field]: time })
  expect(fateOf(at('istio.io/disconnectedAt', '2030-01-01T11:59:55Z'), now, periods)).toBe('stays')
  expect(fateOf(at('istio.io/disconnectedAt', '2030-01-01T11:59:50Z'), now, periods)).toBe('goes')
  expect(fateOf(at('istio.io/connectedAt', '2030-01-01T11:00:00Z'), now, periods)).toBe('stays')
  expect(fateOf(at('istio.io/connectedAt', '2030-01-01T10:00:00Z'), now, periods)).toBe('goes')
  expect(fateOf(entry({}), now, periods)).toBe('stays')
  expect(conditionsAfter(entry({}), 'x'.repeat(5000), now)[0]?.['message']).toHaveLength(1000)
})
