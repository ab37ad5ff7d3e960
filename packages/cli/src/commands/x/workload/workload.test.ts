/** `x workload`: the YAML of a group, and the files of a machine. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { type FakeApi, refusal, startFakeApi } from '../../../../testdata/fake-api.ts'

const api: FakeApi = await startFakeApi()
afterAll(() => api.close())

const configMap = (namespace: string, name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
})
const GROUP: KubeObject = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadGroup',
  metadata: {
    name: 'db',
    namespace: 'vms',
    annotations: { 'proxy.istio.io/config': 'proxyMetadata: {PROXY_CONFIG_ANNOT_VALUE: "it\'s"}' },
  },
  spec: {
    metadata: { labels: { app: 'mysql', version: 'v8' } },
    template: { serviceAccount: 'db', network: 'vm-net', ports: { mysql: 3306, admin: 8080 } },
    probe: { httpGet: { port: 8080 } },
  },
}
const TOKEN = 'POST /api/v1/namespaces/vms/serviceaccounts/db/token'

beforeEach(() => {
  api.answers.clear()
  api.answers.set(TOKEN, { status: 201, body: { status: { token: 'a-token' } } })
  api.objects = [
    GROUP,
    configMap('vms', 'istio-ca-root-cert', { 'root-cert.pem': 'PEM\n' }),
    configMap('istio-system', 'istio', { mesh: 'trustDomain: example.org\ndefaultConfig: {meshId: mesh1, proxyMetadata: {A: b}}' }),
    configMap('istio-system', 'istio-canary', { mesh: 'trustDomain: example.org' }),
    configMap('istio-system', 'istio-sidecar-injector', { values: '{"global":{"multiCluster":{"clusterName":"west"}}}' }),
    configMap('istio-system', 'istio-sidecar-injector-canary', { values: '{}' }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'istio-eastwestgateway', namespace: 'istio-system' },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } },
    },
  ]
})

const directory = (name: string) => join(api.folder, name)
const file = (name: string, path: string) => readFileSync(join(directory(name), path), 'utf8')

test('a group has all that is given, in the order of istioctl, and texts that look like other things in quotes', async () => {
  const { stdout, code } = await api.shell(
    ...[
      'x',
      'workload',
      'group',
      'create',
      '--name',
      'db',
      '--namespace',
      'vms',
      '-l',
      'app=db,on=yes,n=1',
      '-a',
      'note=x=y',
      '-p',
      'b=2,a=1',
    ],
    ...['-s', 'sa', '--network', 'n1', '--locality', 'r/z/s', '-w', '7'],
  )
  expect(code).toBe(0)
  expect(stdout).toBe(`apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata:
  name: db
  namespace: vms
spec:
  metadata:
    annotations:
      note: x=y
    labels:
      app: db
      "n": "1"
      "on": "yes"
  template:
    locality: r/z/s
    network: n1
    ports:
      a: 1
      b: 2
    serviceAccount: sa
    weight: 7
`)
})

test.each([
  [['--namespace', 'vms'], 'expecting a workload name'],
  [['--name', 'db'], 'expecting a workload namespace'],
])('a group without %j is refused', async (args, says) => {
  const { code, stderr } = await api.shell('x', 'workload', 'group', 'create', ...args)
  expect({ code, stderr }).toEqual({ code: 1, stderr: `Error: ${says}\n` })
})

test('a port that is no number is warned of', async () => {
  const { stderr } = await api.shell('x', 'workload', 'group', 'create', '--name', 'a', '--namespace', 'b', '-p', 'http=eighty')
  expect(stderr).toContain('port "http" is "eighty": a number from 1 to 65535 is wanted')
})

const configure = (...args: string[]) => api.shell('x', 'workload', 'entry', 'configure', ...args)

test('the files of a machine say who it is and how it reaches the control plane', async () => {
  const { code, stdout, stderr } = await configure('--name', 'db', '--namespace', 'vms', '-o', directory('vm'), '--autoregister')
  expect(stderr).toContain(`has been generated and stored at "${join(directory('vm'), 'istio-token')}"`)
  expect({ code, stdout }).toEqual({ code: 0, stdout: `Configuration generation into directory ${directory('vm')} was successful\n` })
  expect(file('vm', 'hosts')).toBe('192.0.2.7 istiod.istio-system.svc\n')
  expect(file('vm', 'root-cert.pem')).toBe('PEM\n')
  expect(file('vm', 'istio-token')).toBe('a-token')
  expect(statSync(join(directory('vm'), 'istio-token')).mode & 0o777).toBe(0o600)
  expect(file('vm', 'cluster.env').split('\n')).toEqual(
    expect.arrayContaining([
      'A=b',
      'ISTIO_INBOUND_PORTS=3306,8080',
      'ISTIO_LOCAL_EXCLUDE_PORTS=22,15090,15021,15020',
      'ISTIO_META_CLUSTER_ID=west',
      'ISTIO_META_NETWORK=vm-net',
      `PROXY_CONFIG_ANNOT_VALUE='it'"'"'s'`,
      'ISTIO_SERVICE=db.vms',
      "ISTIO_SERVICE_CIDR='*'",
      'SERVICE_ACCOUNT=db',
      'TRUST_DOMAIN=example.org',
    ]),
  )
  const mesh = file('vm', 'mesh.yaml')
  for (const line of [
    '    CANONICAL_SERVICE: mysql',
    '    CANONICAL_REVISION: v8',
    '    ISTIO_META_AUTO_REGISTER_GROUP: db',
    '  meshId: mesh1',
    '      port: 8080',
  ]) {
    expect(mesh.split('\n')).toContain(line)
  }
})

test('of a revision, the addresses are those of the revision', async () => {
  await configure(
    '--name',
    'db',
    '--namespace',
    'vms',
    '-o',
    directory('canary'),
    '-r',
    'canary',
    '--externalIP',
    '198.51.100.1',
    '--ingressIP',
    '192.0.2.9',
  )
  expect(file('canary', 'hosts')).toBe('192.0.2.9 istiod-canary.istio-system.svc\n')
  const environment = file('canary', 'cluster.env')
  expect(environment).toContain('CA_ADDR=istiod-canary.istio-system.svc:15012\n')
  expect(environment).toContain('ISTIO_SVC_IP=198.51.100.1\n')
  expect(environment).toContain('ISTIO_META_CLUSTER_ID=Kubernetes\n')
})

test('a group may come from a file', async () => {
  mkdirSync(directory('in'), { recursive: true })
  writeFileSync(join(directory('in'), 'group.yaml'), JSON.stringify(GROUP))
  api.objects = api.objects.filter(({ kind }) => kind !== 'WorkloadGroup')
  expect((await configure('-f', join(directory('in'), 'group.yaml'), '-o', directory('filed'))).code).toBe(0)
  expect(file('filed', 'cluster.env')).toContain('ISTIO_NAMESPACE=vms\n')
})

test.each([
  [[], 'expecting a WorkloadGroup artifact file or the name and namespace of an existing WorkloadGroup'],
  [['--name', 'db', '--namespace', 'vms'], 'expecting an output directory'],
  [['--name', 'db', '--namespace', 'vms', '-o', 'x', '--internalIP', '1.1.1.1', '--externalIP', '2.2.2.2'], 'exclude each other'],
  [['--name', 'gone', '--namespace', 'vms', '-o', 'x'], 'there is no WorkloadGroup "gone" in namespace "vms"'],
])('%j is refused in one line', async (args, says) => {
  const { code, stderr } = await configure(...args)
  expect(code).toBe(1)
  expect(stderr).toContain(says)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})

test('a missing service account is named', async () => {
  api.answers.set(TOKEN, { status: 404, body: refusal(404, 'NotFound', 'serviceaccounts "db" not found') })
  const { stderr } = await configure('--name', 'db', '--namespace', 'vms', '-o', directory('none'))
  expect(stderr).toContain('no token for service account "db" in namespace "vms": ')
})
