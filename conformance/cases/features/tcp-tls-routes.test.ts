/** Routes of bytes: by port, address, server name, caller and gateway, shared by weight. Counted at the apps that get the bytes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newAuthority } from '../../harness/authority.ts'
import { addressOf, type Echo, type EchoPod } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, OTHER_CALLER } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking, secret } from '../../harness/objects.ts'
import { expectShare, tally } from '../../harness/statistics.ts'

const GOLD = 'feat/gold'
/** Where the ServiceEntry of each case has its addresses, and each kind of route its port. */
const PORT = { tcp: 9000, 'tcp-other': 9001, tls: 8443 } as const
const SUBNET: Readonly<Record<string, string>> = {
  shares: '240.80.1',
  ports: '240.80.2',
  addresses: '240.80.3',
  labels: '240.80.4',
  namespaces: '240.80.5',
  gateways: '240.80.6',
  ignored: '240.80.7',
  several: '240.80.8',
}
const EDGE_PORT = { tcp: 9100, tls: 9143 } as const

interface To {
  readonly version: 'v1' | 'v2'
  readonly weight?: number
}

const host = (name: string) => `${name}.example`
const route = (name: string, port: number, ...to: readonly To[]) => ({
  route: to.map(({ version, weight }) => ({
    destination: { host: host(name), subset: version, port: { number: port } },
    ...(weight === undefined ? {} : { weight }),
  })),
})
const V1: To = { version: 'v1' }
const V2: To = { version: 'v2' }

/** A host whose bytes go to the pods v1 and v2; by TLS its name and every name below `<name>.example`. */
function served(name: string, addresses: Readonly<Record<string, string>>, spec: object): string {
  return [
    networking(
      'ServiceEntry',
      { name, namespace: 'feat' },
      {
        hosts: [host(name)],
        addresses: [`${SUBNET[name]}.0/24`],
        location: 'MESH_INTERNAL',
        resolution: 'STATIC',
        ports: [
          { number: PORT.tcp, name: 'tcp', protocol: 'TCP' },
          { number: PORT['tcp-other'], name: 'tcp-other', protocol: 'TCP', targetPort: PORT.tcp },
          { number: PORT.tls, name: 'tls', protocol: 'TLS' },
        ],
        endpoints: ['v1', 'v2'].map((version) => ({ address: addresses[version], labels: { version } })),
      },
    ),
    networking(
      'DestinationRule',
      { name, namespace: 'feat' },
      { host: host(name), subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })) },
    ),
    networking('VirtualService', { name, namespace: 'feat' }, { hosts: [host(name)], ...spec }),
  ].join('')
}

/** The same conditions for TCP and for TLS, each by its own port; the first that holds leads to v2, else v1. */
const both = (name: string, match: object) => ({
  tcp: [
    { match: [{ port: PORT.tcp, ...match }], ...route(name, PORT.tcp, V2) },
    { match: [{ port: PORT.tcp }], ...route(name, PORT.tcp, V1) },
  ],
  tls: [
    { match: [{ port: PORT.tls, sniHosts: [host(name)], ...match }], ...route(name, PORT.tls, V2) },
    { match: [{ port: PORT.tls, sniHosts: [host(name)] }], ...route(name, PORT.tls, V1) },
  ],
})

const ROUTES: Readonly<Record<string, object>> = {
  shares: {
    tcp: [{ match: [{ port: PORT.tcp }], ...route('shares', PORT.tcp, { ...V1, weight: 80 }, { ...V2, weight: 20 }) }],
    tls: [
      {
        match: [{ port: PORT.tls, sniHosts: [host('shares')] }],
        ...route('shares', PORT.tls, { ...V1, weight: 80 }, { ...V2, weight: 20 }),
      },
    ],
  },
  ports: {
    tcp: [
      { match: [{ port: PORT.tcp }], ...route('ports', PORT.tcp, V1) },
      { match: [{ port: PORT['tcp-other'] }], ...route('ports', PORT['tcp-other'], V2) },
    ],
  },
  addresses: both('addresses', { destinationSubnets: [`${SUBNET['addresses']}.128/25`, `${SUBNET['addresses']}.1`] }),
  labels: both('labels', { sourceLabels: { tier: 'gold' } }),
  namespaces: both('namespaces', { sourceNamespace: 'other' }),
  gateways: {
    gateways: ['mesh', 'feat/edge'],
    tcp: [
      { match: [{ gateways: ['feat/edge'], port: EDGE_PORT.tcp }], ...route('gateways', PORT.tcp, V2) },
      { match: [{ gateways: ['mesh'], port: PORT.tcp }], ...route('gateways', PORT.tcp, V1) },
    ],
    tls: [
      {
        match: [{ gateways: ['feat/edge'], port: EDGE_PORT.tls, sniHosts: [host('gateways')] }],
        ...route('gateways', PORT.tls, V2),
      },
      { match: [{ gateways: ['mesh'], port: PORT.tls, sniHosts: [host('gateways')] }], ...route('gateways', PORT.tls, V1) },
    ],
  },
  ignored: {
    tcp: [
      { match: [{ port: PORT.tcp, sourceSubnet: '203.0.113.0/24' }], ...route('ignored', PORT.tcp, V2) },
      { match: [{ port: PORT.tcp }], ...route('ignored', PORT.tcp, V1) },
    ],
  },
  several: {
    hosts: [host('several'), '*.several.example'],
    tls: [
      { match: [{ port: PORT.tls, sniHosts: ['a.several.example', 'b.several.example'] }], ...route('several', PORT.tls, V1) },
      { match: [{ port: PORT.tls, sniHosts: ['*.several.example'] }], ...route('several', PORT.tls, V2) },
    ],
  },
}

const EDGE = networking(
  'Gateway',
  { name: 'edge', namespace: 'feat' },
  {
    selector: { istio: 'ingressgateway' },
    servers: [
      { port: { number: EDGE_PORT.tcp, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] },
      { port: { number: EDGE_PORT.tls, name: 'tls', protocol: 'TLS' }, hosts: ['*.example'], tls: { mode: 'PASSTHROUGH' } },
    ],
  },
)

describeWithMesh('routes of bytes', (mesh) => {
  let echo: Echo
  let edge = ''
  beforeAll(async () => {
    if (whySkipped()) return
    const { certificate, key } = await (await newAuthority('example')).issue('apps.example')
    const app = (version: string): EchoPod => ({
      name: version,
      namespace: 'feat',
      labels: { version },
      listen: [`${PORT.tcp}=tcp`, `${PORT.tls}=tls`],
      env: { TLS_CERT: '/certs/cert', TLS_KEY: '/certs/key' },
      secrets: { '/certs': 'certs' },
    })
    const pods = [
      app('v1'),
      app('v2'),
      { name: 'caller', namespace: 'feat' },
      { name: 'gold', namespace: 'feat', labels: { tier: 'gold' } },
      { name: 'caller', namespace: 'other' },
    ]
    echo = await deployEcho(mesh(), pods, secret('certs', 'feat', { cert: certificate, key }))
    const addresses = { v1: await addressOf(mesh(), 'feat/v1'), v2: await addressOf(mesh(), 'feat/v2') }
    await mesh().apply([EDGE, ...Object.entries(ROUTES).map(([name, spec]) => served(name, addresses, spec))].join(''))
    edge = await mesh().kubectl(
      ...['get', 'pod', '-n', 'istio-system', '-l', 'istio=ingressgateway', '-o', 'jsonpath={.items[0].status.podIP}'],
    )
  })
  afterAll(() => echo?.close())

  /** Sends a line and says which app answered it; `-` when none did. */
  const whoGets = async (from: string, url: string, more: { servername?: string; count?: number } = {}): Promise<string[]> => {
    const line = `line-${crypto.randomUUID()}`
    const answers = await echo.call(from, { url, version: 'tcp', body: line, timeoutMs: 4000, ...more })
    return answers.map(({ body }) => (body.endsWith(` ${line}`) ? body.slice(0, -line.length - 1) : '-'))
  }
  const tcp = (from: string, name: string, last = 9, port: number = PORT.tcp) => whoGets(from, `tcp://${SUBNET[name]}.${last}:${port}`)
  const tls = (from: string, name: string, last = 9, servername = host(name)) =>
    whoGets(from, `tls://${SUBNET[name]}.${last}:${PORT.tls}`, { servername })
  const becomes = (ask: () => Promise<string[]>, version: string) => eventually(async () => expect(await ask()).toEqual([version]))

  test.each(['tcp', 'tls'] as const)('weights: connections by %s are shared, and counted at the apps', async (kind) => {
    const line = `shares-${kind}`
    const name = 'shares'
    const spec = { url: `${kind}://${SUBNET[name]}.9:${PORT[kind]}`, version: 'tcp', body: line, servername: host(name) } as const
    await eventually(async () => expect((await echo.callOnce(CALLER, { ...spec, body: 'ready' })).body).toMatch(/^v[12] ready$/))
    const answers = await echo.call(CALLER, { ...spec, count: 300, parallel: 6 })
    const counts = tally(answers.map(({ body }) => body))
    expect(Object.keys(counts).sort()).toEqual([`v1 ${line}`, `v2 ${line}`])
    for (const version of ['v1', 'v2'])
      expect(await echo.received(`feat/${version}`, { path: line })).toHaveLength(counts[`${version} ${line}`] ?? 0)
    expectShare(counts[`v2 ${line}`] ?? 0, 300, 0.2)
  })

  test('ports: each port of a host has its own route', async () => {
    await becomes(() => tcp(CALLER, 'ports'), 'v1')
    await becomes(() => tcp(CALLER, 'ports', 9, PORT['tcp-other']), 'v2')
  })

  test('addresses: the address dialled, alone or in a range, chooses the route', async () => {
    for (const send of [tcp, tls]) {
      await becomes(() => send(CALLER, 'addresses', 200), 'v2')
      await becomes(() => send(CALLER, 'addresses', 1), 'v2')
      await becomes(() => send(CALLER, 'addresses', 9), 'v1')
    }
  })

  test('callers: labels of the caller choose the route', async () => {
    for (const send of [tcp, tls]) {
      await becomes(() => send(GOLD, 'labels'), 'v2')
      await becomes(() => send(CALLER, 'labels'), 'v1')
    }
  })

  test('callers: the namespace of the caller chooses the route', async () => {
    for (const send of [tcp, tls]) {
      await becomes(() => send(OTHER_CALLER, 'namespaces'), 'v2')
      await becomes(() => send(CALLER, 'namespaces'), 'v1')
    }
  })

  test('callers: their subnet, which Istio names but does not look at, chooses nothing', async () => {
    await becomes(() => tcp(CALLER, 'ignored'), 'v2')
  })

  test('gateways: a route is for callers in the mesh, or for those that come by a gateway', async () => {
    await becomes(() => whoGets(DRIVER, `tcp://${edge}:${EDGE_PORT.tcp}`), 'v2')
    await becomes(() => whoGets(DRIVER, `tls://${edge}:${EDGE_PORT.tls}`, { servername: host('gateways') }), 'v2')
    await becomes(() => tcp(CALLER, 'gateways'), 'v1')
    await becomes(() => tls(CALLER, 'gateways'), 'v1')
  })

  test('server names: the name asked for chooses the route, an exact name before a wildcard', async () => {
    await becomes(() => tls(CALLER, 'several', 9, 'a.several.example'), 'v1')
    await becomes(() => tls(CALLER, 'several', 9, 'b.several.example'), 'v1')
    await becomes(() => tls(CALLER, 'several', 9, 'c.several.example'), 'v2')
  })
})
