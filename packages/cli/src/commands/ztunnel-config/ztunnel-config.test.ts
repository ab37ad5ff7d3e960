/** `ztunnel-config` on saved dumps: the tables, byte for byte, and the data. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { inProcess } from '../../../testdata/in-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-ztunnel-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function saved(content: unknown): string {
  const path = join(folder, `${++files}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const pod = (name: string, workloadIps: readonly string[], more: object = {}) => ({
  uid: `K//Pod/shop/${name}`,
  workloadIps,
  name,
  namespace: 'shop',
  node: 'n1',
  protocol: 'HBONE',
  status: 'Healthy',
  ...more,
})
const DUMP = {
  workloads: [
    pod('web', ['10.1.0.1', 'fd00::1'], { waypoint: { destination: 'shop/gate.shop.svc.cluster.local', port: 15008 } }),
    pod('cart', ['10.1.0.2'], { waypoint: { destination: { namespace: 'shop', hostname: 'gate.shop.svc.cluster.local' } } }),
    pod('outside', [], { hostname: 'db.example.com', node: 'N2', protocol: 'TCP', waypoint: { destination: '/10.9.9.9' } }),
    pod('web', ['10.1.0.3'], { node: 'n0', status: 'Unhealthy', waypoint: { destination: '/10.9.0.7' } }),
  ],
  services: [
    {
      name: 'web',
      namespace: 'shop',
      hostname: 'web.shop.svc.cluster.local',
      vips: ['/10.9.0.1', 'net/fd00::9'],
      endpoints: { a: { workloadUid: 'K//Pod/shop/web' }, b: { workloadUid: 'gone' } },
    },
    { name: 'gate', namespace: 'shop', hostname: 'gate.shop.svc.cluster.local', vips: ['/10.9.0.7'], endpoints: {}, ports: { 80: 8080 } },
    {
      name: 'headless',
      namespace: 'Bank',
      hostname: 'h.bank',
      vips: [],
      endpoints: null,
      waypoint: { destination: 'shop/gate.shop.svc.cluster.local' },
    },
  ],
  policies: [
    { namespace: 'shop', name: 'z', action: 'Deny', scope: 'WorkloadSelector', rules: [] },
    { namespace: 'bank', name: 'a', action: 'Allow', scope: 'Namespace', rules: [] },
  ],
  certificates: [
    {
      identity: 'spiffe://cluster.local/ns/shop/sa/web',
      state: 'Available',
      certChain: [
        { serialNumber: '255', validFrom: '2020-01-01T00:00:00Z', expirationTime: '2021-01-01T00:00:00Z' },
        { serialNumber: '16' },
      ],
      rootCerts: [{ serialNumber: '4096', validFrom: '2020-01-01T00:00:00Z', expirationTime: '2999-01-01T00:00:00Z' }],
    },
    { identity: 'spiffe://cluster.local/ns/shop/sa/cart', state: 'Unavailable: no answer', certChain: [] },
  ],
  workloadState: {
    b: {
      state: 'Up',
      info: { name: 'web', namespace: 'shop' },
      connections: {
        inbound: [{ src: '10.1.0.2:5000', originalDst: 'web.shop.svc.cluster.local', actualDst: '10.1.0.1:80', protocol: 'HBONE' }],
        outbound: [{ src: '[fd00::1]:4000', originalDst: '10.9.0.1:80', actualDst: '10.1.0.2:15008', protocol: 'HBONE' }],
      },
    },
    a: {
      info: { name: 'cart', namespace: 'shop' },
      connections: { inbound: [], outbound: [{ src: '10.1.0.2:1', actualDst: '8.8.8.8:53' }] },
    },
  },
}
const file = saved(DUMP)
const zc = (kind: string, ...flags: string[]) => inProcess(['ztunnel-config', kind, '--file', file, ...flags], {})
const table = async (kind: string, ...flags: string[]) => (await zc(kind, ...flags)).stdout.split('\n').slice(0, -1)

test('workloads are sorted by name and node, and have all their addresses, or their host', async () => {
  expect(await table('workloads')).toEqual([
    'NAMESPACE POD NAME ADDRESS          NODE WAYPOINT PROTOCOL',
    'shop      cart     10.1.0.2         n1   gate     HBONE',
    'shop      outside  db.example.com   N2   NA       TCP',
    'shop      web      10.1.0.3         n0   gate     HBONE',
    'shop      web      10.1.0.1,fd00::1 n1   gate     HBONE',
  ])
})

test.each([
  [['workload', '--workload-node', 'n2'], 1],
  [['workload', '--address', 'FD00::1'], 1],
  [['workload', '--workload-namespace', 'SHOP', '--workload-node', 'n1'], 2],
  [['service', '--service-namespace', 'bank'], 1],
  [['policy', '--policy-namespace', 'shop'], 1],
  [['connections', '--direction', 'inbound'], 1],
  [['connections', '--workload-namespace', 'none'], 0],
])('%j lets %d through', async ([kind = '', ...flags], count) => {
  expect(await table(kind, ...flags)).toHaveLength(count + 1)
})

test('services count their healthy endpoints; policies and certificates have their states', async () => {
  expect(await table('svc')).toEqual([
    'NAMESPACE SERVICE NAME SERVICE VIP      WAYPOINT ENDPOINTS',
    'Bank      headless                      gate     0/0',
    'shop      gate         10.9.0.7         None     0/0',
    'shop      web          10.9.0.1,fd00::9 None     1/2',
  ])
  expect(await table('pol')).toEqual([
    'NAMESPACE POLICY NAME ACTION SCOPE',
    'bank      a           Allow  Namespace',
    'shop      z           Deny   WorkloadSelector',
  ])
  expect(await table('cert')).toEqual([
    'CERTIFICATE NAME                           TYPE             STATUS          VALID CERT     SERIAL NUMBER     NOT AFTER                NOT BEFORE',
    'spiffe://cluster.local/ns/shop/sa/web      Leaf             Available       false          ff                2021-01-01T00:00:00Z     2020-01-01T00:00:00Z',
    'spiffe://cluster.local/ns/shop/sa/web      Intermediate     Available       false          10                NA                       NA',
    'spiffe://cluster.local/ns/shop/sa/web      Root             Available       true           1000              2999-01-01T00:00:00Z     2020-01-01T00:00:00Z',
    'spiffe://cluster.local/ns/shop/sa/cart     NA               Unavailable     false          NA                NA                       NA',
  ])
})

test('connections have names where they are known, but what an inbound one was meant for stays as it is', async () => {
  expect(await table('cons')).toEqual([
    'WORKLOAD  DIRECTION LOCAL         REMOTE          REMOTE TARGET                 PROTOCOL',
    'cart.shop Outbound  cart.shop:1   8.8.8.8:53                                    ',
    'web.shop  Inbound   web.shop:80   cart.shop:5000  web.shop.svc.cluster.local    HBONE',
    'web.shop  Outbound  web.shop:4000 cart.shop:15008 web.shop.svc.cluster.local:80 HBONE',
  ])
  expect((await table('cons', '--raw')).at(-1)).toMatch(/^web\.shop +Outbound +\[fd00::1\]:4000 10\.1\.0\.2:15008 +10\.9\.0\.1:80 +HBONE$/)
})

test('data have the fields of istioctl first, with values where there are none, then what ztunnel says besides', async () => {
  const { stdout } = await zc('service', '--service-namespace', 'shop', '-o', 'json')
  expect(stdout.startsWith('[\n    {\n        "name": "gate",\n        "namespace": "shop",\n')).toBe(true)
  expect(Object.entries(JSON.parse(stdout)[0])).toEqual([
    ['name', 'gate'],
    ['namespace', 'shop'],
    ['hostname', 'gate.shop.svc.cluster.local'],
    ['vips', ['/10.9.0.7']],
    ['ports', { 80: 8080 }],
    ['endpoints', {}],
    ['ipFamilies', ''],
  ])
  const { stdout: workloads } = await zc('workload', '--address', '10.1.0.3', '-o', 'yaml')
  expect(workloads).toContain('  capacity: 0\n')
  expect(workloads).toContain('  locality: {}\n')
  expect((await zc('policy', '--policy-namespace', 'none', '-o', 'json')).stdout).toBe('[]\n')
})

test('all tables stand below each other, with headers when they are wanted', async () => {
  const { stdout } = await zc('all', '--with-headers')
  expect(stdout.match(/^------ .*$/gm)).toEqual(
    ['WORKLOAD', 'SERVICE', 'POLICY', 'SECRET', 'CONNECTIONS'].map((name) => `------ ${name} INFO ------`),
  )
  expect(stdout.startsWith('\n------ WORKLOAD INFO ------\n\nNAMESPACE')).toBe(true)
  expect((await zc('all', '-o', 'json')).stdout).toBe(`${JSON.stringify(DUMP)}\n`)
})

test('a dump that is cut gives what is whole; what is none is refused in a line', async () => {
  const text = JSON.stringify(DUMP)
  const cut = await inProcess(['zc', 'workload', '-f', saved(text.slice(0, text.indexOf('"outside"')))], {})
  expect(cut).toMatchObject({ code: 1, stdout: expect.stringMatching(/^NAMESPACE.*\nshop +cart.*\nshop +web.*\n$/) })
  expect(cut.stderr).toMatch(/^Error: .* is damaged: it ends after \d+ bytes, in the middle; what is whole is shown\n$/)
  for (const content of ['', 'x', '[]', '"a"']) {
    const { code, stdout, stderr } = await inProcess(['zc', 'all', '-f', saved(content)], {})
    expect([code, stdout, stderr.split('\n').length]).toEqual([1, '', 2])
    expect(stderr).toMatch(/^Error: .* is no config dump of ztunnel: /)
  }
})

test('a ztunnel, a node and a file exclude each other', async () => {
  for (const more of [['ztunnel-1'], ['--node', 'n1']]) {
    expect(await zc('service', ...more)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('at most one of --file, --node, or pod name'),
    })
  }
})
