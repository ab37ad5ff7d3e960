/**
 * Workloads that register themselves, as machines outside Kubernetes do: WorkloadEntries made from a WorkloadGroup, and the health that
 * the agent finds out. The agents here are those of pods, which no Service selects: only the WorkloadEntries lead to them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, type Echo, type EchoPod, echoPod } from '../../harness/echo.ts'
import { CALLER, deployEcho, NOWHERE_URL } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const IN_FEAT = (name: string) => ({ name, namespace: 'feat' })
const QUICK = { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2, successThreshold: 1 }

/** Probes by the name of the workload, whose app listens on 8080 and 9000. */
const PROBES: Readonly<Record<string, object>> = {
  'by-http': {
    ...QUICK,
    initialDelaySeconds: 1,
    httpGet: { path: '/well', port: 8080, scheme: 'HTTP', host: 'localhost', httpHeaders: [{ name: 'x-test', value: 'probe' }] },
  },
  'by-tcp': { ...QUICK, tcpSocket: { port: 9000, host: '127.0.0.1' } },
  'by-command': { ...QUICK, exec: { command: ['/bin/sh', '-c', 'test ! -e /etc/istio/proxy/sick'] } },
  'by-grpc': { ...QUICK, grpc: { port: 8080, service: 'echo' } },
}

const workload = (name: string, group: string, more: object = {}): EchoPod => ({
  name,
  namespace: 'feat',
  listen: ['8080=http', '9000=tcp'],
  annotations: {
    'proxy.istio.io/config': JSON.stringify({ proxyMetadata: { ISTIO_META_AUTO_REGISTER_GROUP: group }, ...more }),
  },
})

/** A group, and a service whose endpoints are its WorkloadEntries. */
const group = (name: string, more: object = {}) =>
  networking('WorkloadGroup', IN_FEAT(name), {
    metadata: { labels: { role: name }, annotations: { owner: 'test' } },
    template: { ports: { http: 8080 }, serviceAccount: 'default', labels: { from: 'template' } },
    ...more,
  }) +
  networking('ServiceEntry', IN_FEAT(name), {
    hosts: [`${name}.example`],
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    workloadSelector: { labels: { role: name } },
  })

describeWithMesh('workloads that register themselves', (mesh) => {
  let echo: Echo
  beforeAll(async () => {
    if (whySkipped()) return
    const groups = ['plain', ...Object.keys(PROBES)]
    echo = await deployEcho(
      mesh(),
      [
        { name: 'caller', namespace: 'feat' },
        workload('plain', 'plain'),
        ...Object.entries(PROBES).map(([name, readinessProbe]) => workload(name, name, { readinessProbe })),
      ],
      groups.map((name) => group(name)).join(''),
    )
  })
  afterAll(() => echo?.close())

  const call = (name: string) => echo.callOnce(CALLER, { url: NOWHERE_URL, headers: { host: `${name}.example` } })
  const served = (name: string) =>
    eventually(async () => expect(await call(name), await described(mesh(), name)).toMatchObject({ status: 200, pod: name }))
  const unserved = (name: string) =>
    eventually(async () => expect(await call(name), await described(mesh(), name)).toMatchObject({ status: 503 }))
  const becomes = (name: string, status: 'True' | 'False') =>
    eventually(async () => expect(await health(mesh(), name), await described(mesh(), name)).toMatchObject({ status }))

  test('a WorkloadEntry is made from the group, with its template, labels and annotations, and is called', async () => {
    await served('plain')
    const [entry] = await entriesOf(mesh(), 'plain')
    expect(entry).toMatchObject({
      metadata: {
        labels: { role: 'plain', from: 'template', app: 'plain' },
        annotations: { owner: 'test', 'istio.io/autoRegistrationGroup': 'plain' },
        ownerReferences: [{ kind: 'WorkloadGroup', name: 'plain' }],
      },
      spec: { address: await addressOf(mesh(), 'feat/plain'), ports: { http: 8080 }, serviceAccount: 'default' },
    })
    // Its own proxy knows it by the service that the entry is of, at the port that the entry names.
    const { stdout } = await mesh().lateen('proxy-config', 'clusters', 'plain.feat', '-o', 'json')
    expect(stdout).toContain('inbound|8080||')
    expect((await call('plain')).echo?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
  })

  test('a workload of a group that is not there is refused by name, until the group is there', async () => {
    await mesh().apply(echoPod(workload('early', 'late')))
    await eventually(async () => expect(await mesh().kubectl('logs', 'early', '-n', 'feat', '-c', 'istio-proxy')).toContain('feat/late'))
    await mesh().apply(group('late'))
    await eventually(async () => expect(await call('late')).toMatchObject({ status: 200, pod: 'early' }))
  })

  describe.concurrent('health', () => {
    test('by HTTP: an app that answers with an error is called no more, and again when it is well', async () => {
      await served('by-http')
      expect((await echo.received('feat/by-http', { test: 'probe', path: '/well' })).length).toBeGreaterThan(0)
      await echo.set('feat/by-http', { status: 503 })
      await becomes('by-http', 'False')
      expect((await health(mesh(), 'by-http'))?.message).toContain('503')
      await unserved('by-http')
      await echo.set('feat/by-http', {})
      await becomes('by-http', 'True')
      await served('by-http')
    })

    test('by TCP: an app that does not listen is called no more, and again when it is well', async () => {
      await served('by-tcp')
      await echo.set('feat/by-tcp', { closed: true })
      await becomes('by-tcp', 'False')
      await unserved('by-tcp')
      await echo.set('feat/by-tcp', {})
      await served('by-tcp')
    })

    test('by command: its exit status decides', async () => {
      await served('by-command')
      const inProxy = (command: string) =>
        mesh().kubectl('exec', 'by-command', '-n', 'feat', '-c', 'istio-proxy', '--', 'sh', '-c', command)
      await inProxy('touch /etc/istio/proxy/sick')
      await becomes('by-command', 'False')
      await unserved('by-command')
      await inProxy('rm /etc/istio/proxy/sick')
      await served('by-command')
    })

    test('by gRPC: what the service says of itself decides', async () => {
      await served('by-grpc')
      const [asked] = await echo.received('feat/by-grpc', { path: '/grpc.health.v1.Health/Check', protocol: 'grpc' })
      expect(asked?.body).toContain('echo')
      await echo.set('feat/by-grpc', { status: 503 })
      await becomes('by-grpc', 'False')
      await unserved('by-grpc')
      await echo.set('feat/by-grpc', {})
      await served('by-grpc')
    })
  })

  test('an entry goes when its workload has gone and does not come back', async () => {
    await mesh().kubectl('delete', 'pod', 'plain', '-n', 'feat')
    await eventually(async () => expect(await entriesOf(mesh(), 'plain')).toEqual([]), { withinMs: 40_000 })
    expect(await call('plain')).toMatchObject({ status: 503 })
  })
})

interface Entry {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[] }
}

/** The WorkloadEntries of a group. */
async function entriesOf(mesh: Mesh, group: string): Promise<Entry[]> {
  const { items }: { items: Entry[] } = JSON.parse(await mesh.kubectl('get', 'workloadentries', '-n', 'feat', '-o', 'json'))
  return items.filter(({ metadata }) => metadata.annotations?.['istio.io/autoRegistrationGroup'] === group)
}

async function health(mesh: Mesh, group: string) {
  const [entry] = await entriesOf(mesh, group)
  return entry?.status?.conditions?.find(({ type }) => type === 'Healthy')
}

const described = async (mesh: Mesh, group: string) => JSON.stringify(await entriesOf(mesh, group))
