/** What the mesh says of itself, by `x explain`, by `test`, in statuses and in warnings, is what its traffic does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, type CallSpec, documents, type Echo, echoService } from '../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, GATEWAY_URL } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { networking } from '../harness/objects.ts'

interface Cause {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly path?: string
}

interface Report {
  readonly steps: readonly { readonly stage: string; readonly name: string; readonly causes: readonly Cause[] }[]
  readonly branches: readonly {
    readonly percent: number
    readonly result: string
    readonly status?: number
    readonly flag?: string
    readonly steps: readonly {
      readonly stage: string
      readonly name: string
      readonly details: readonly string[]
      readonly causes: readonly Cause[]
    }[]
  }[]
  readonly notes: readonly string[]
}

interface LogReport {
  readonly summary: string
  readonly writtenBy?: { readonly pod: string; readonly direction: string }
  readonly causes: readonly Cause[]
  readonly now?: Report
}

const rules = networking(
  'VirtualService',
  { name: 'cart', namespace: 'feat' },
  {
    hosts: ['cart'],
    gateways: ['mesh', 'front'],
    http: [
      { match: [{ headers: { 'x-user': { exact: 'tester' } } }], route: [{ destination: { host: 'cart', subset: 'v2' } }] },
      { match: [{ uri: { prefix: '/old' } }], redirect: { uri: '/new', redirectCode: 308 } },
      {
        match: [{ uri: { prefix: '/teapot' } }],
        fault: { abort: { httpStatus: 418, percentage: { value: 100 } } },
        route: [{ destination: { host: 'cart' } }],
      },
      { match: [{ uri: { prefix: '/said' } }], directResponse: { status: 203, body: { string: 'said' } } },
      {
        match: [{ uri: { prefix: '/shared' } }, { uri: { prefix: '/admin' } }],
        route: [
          { destination: { host: 'cart', subset: 'v1' }, weight: 50 },
          { destination: { host: 'cart', subset: 'v2' }, weight: 50 },
        ],
      },
    ],
  },
)
const subsets = networking(
  'DestinationRule',
  { name: 'cart', namespace: 'feat' },
  { host: 'cart', subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })) },
)
const security = (kind: string, name: string, spec: unknown) =>
  documents({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'feat' }, spec })

const objects = [
  echoService({ name: 'cart', namespace: 'feat' }),
  echoService({ name: 'strict', namespace: 'feat' }),
  rules,
  subsets,
  networking(
    'VirtualService',
    { name: 'shop', namespace: 'feat' },
    { hosts: ['shop.example'], gateways: ['front'], http: [{ route: [{ destination: { host: 'cart', subset: 'v1' } }] }] },
  ),
  security('AuthorizationPolicy', 'no-admin', {
    selector: { matchLabels: { app: 'cart' } },
    action: 'DENY',
    rules: [{ to: [{ operation: { methods: ['DELETE'] } }] }, { to: [{ operation: { paths: ['/admin*'] } }] }],
  }),
  security('PeerAuthentication', 'strict', { selector: { matchLabels: { app: 'strict' } }, mtls: { mode: 'STRICT' } }),
  networking('DestinationRule', { name: 'strict', namespace: 'feat' }, { host: 'strict', trafficPolicy: { tls: { mode: 'DISABLE' } } }),
  networking(
    'Sidecar',
    { name: 'default', namespace: 'other' },
    { egress: [{ hosts: ['feat/*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } },
  ),
].join('')

describeWithMesh('explain', (mesh) => {
  let echo: Echo
  const folder = mkdtempSync(join(tmpdir(), 'explain-'))

  beforeAll(async () => {
    if (whySkipped()) return
    await addToMesh(mesh(), { accessLogFile: '/dev/stdout' })
    const pods = [
      { name: 'cart-v1', namespace: 'feat', labels: { app: 'cart', version: 'v1' } },
      { name: 'cart-v2', namespace: 'feat', labels: { app: 'cart', version: 'v2' } },
      { name: 'strict', namespace: 'feat' },
      { name: 'caller', namespace: 'feat' },
      { name: 'caller', namespace: 'other' },
    ]
    echo = await deployEcho(mesh(), pods, objects)
    await eventually(async () => expect((await call(CALLER, '/said')).status).toBe(203))
    await eventually(async () => expect((await call(CALLER, '/admin')).status).toBe(403))
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await echo?.close()
  })

  const call = (from: string, path: string, more: Partial<CallSpec> = {}): Promise<Answer> =>
    echo.callOnce(from, { url: `http://cart.feat${path}`, timeoutMs: 5_000, newConnections: true, ...more })
  /** The podmates that answer several equal calls. */
  async function podsOf(from: string, spec: CallSpec): Promise<string[]> {
    const answers = await echo.call(from, { count: 20, timeoutMs: 5_000, ...spec })
    return [...new Set(answers.map(({ pod }) => pod))].sort()
  }
  async function json<T>(...args: string[]): Promise<T> {
    const { code, stdout, output } = await mesh().lateen(...args, '-o', 'json')
    expect(code, output).toBe(0)
    return JSON.parse(stdout) as T
  }
  const explain = (from: string, ...request: string[]) => json<Report>('x', 'explain', '--from', from, ...request)
  const causesOf = ({ steps, branches }: Report, stage: string): string[] => [
    ...new Set(
      [...steps, ...branches.flatMap((branch) => branch.steps)]
        .filter((step) => step.stage === stage)
        .flatMap(({ causes }) => causes.map(({ kind, namespace, name, path }) => `${kind} ${namespace}/${name}${path ? ` ${path}` : ''}`)),
    ),
  ]
  /** The last line that a proxy has logged for a path. */
  async function logLine(pod: string, namespace: string, path: string): Promise<string> {
    const last = async () => {
      const logs = await mesh().kubectl('logs', pod, '-n', namespace, '-c', 'istio-proxy', '--tail=200')
      return (
        logs
          .split('\n')
          .filter((line) => line.includes(`${path} HTTP`))
          .at(-1) ?? ''
      )
    }
    await eventually(async () => expect(await last()).not.toBe(''))
    return last()
  }

  test('a split is explained by its shares, and both destinations get requests', async () => {
    const report = await explain('caller.feat', 'http://cart.feat/shared')
    expect(report.branches.map(({ percent, result }) => [percent, result])).toEqual([
      [50, 'reaches cart.feat.svc.cluster.local, subset v1'],
      [50, 'reaches cart.feat.svc.cluster.local, subset v2'],
    ])
    expect(causesOf(report, 'route')).toContain('VirtualService feat/cart spec.http[4].match[0]')
    expect(causesOf(report, 'cluster')).toEqual(expect.arrayContaining(['DestinationRule feat/cart', 'Service feat/cart']))
    expect(await podsOf(CALLER, { url: 'http://cart.feat/shared' })).toEqual(['cart-v1', 'cart-v2'])
  })

  test('a header decides as explained', async () => {
    const report = await explain('caller.feat', 'http://cart.feat/shared', '-H', 'x-user: tester')
    expect(report.branches.map(({ result }) => result)).toEqual(['reaches cart.feat.svc.cluster.local, subset v2'])
    expect(await podsOf(CALLER, { url: 'http://cart.feat/shared', headers: { 'x-user': 'tester' } })).toEqual(['cart-v2'])
  })

  test.each([
    ['/old/path', 308, undefined, 'VirtualService feat/cart spec.http[1].match[0]'],
    ['/teapot', 418, 'FI', 'VirtualService feat/cart spec.http[2].match[0]'],
    ['/said', 203, undefined, 'VirtualService feat/cart spec.http[3].match[0]'],
    ['/nowhere', 404, 'NR', undefined],
  ])('%s is answered by the proxy with %i, as explained', async (path, status, flag, cause) => {
    const report = await explain('caller.feat', `http://cart.feat${path}`)
    expect(report.branches.map((branch) => [branch.status, branch.flag])).toEqual([[status, flag]])
    if (cause) expect(causesOf(report, 'route')).toEqual([cause])
    expect(causesOf(report, 'virtual host')).toContain('VirtualService feat/cart')
    expect((await call(CALLER, path)).status).toBe(status)
  })

  test('a denial names the policy and its rule, by request and by a line of the log', async () => {
    const report = await explain('caller.feat', 'http://cart.feat/admin')
    expect(report.branches.map(({ status }) => status)).toEqual([403, 403])
    expect(causesOf(report, 'filter')).toEqual(['AuthorizationPolicy feat/no-admin spec.rules[1]'])
    const { pod, status } = await call(CALLER, '/admin/line')
    expect([pod, status]).toEqual(['', 403])
    const line = await Promise.any(['cart-v1', 'cart-v2'].map((name) => logLine(name, 'feat', '/admin/line')))
    const said = await json<LogReport>('x', 'explain', '--log', line)
    expect(said.writtenBy).toMatchObject({ direction: 'inbound', pod: expect.stringMatching(/^cart-v[12]\.feat$/) })
    expect(said.causes.map(({ kind, name, path }) => `${kind} ${name} ${path}`)).toEqual(['AuthorizationPolicy no-admin spec.rules[1]'])
  })

  test("a line of the caller's log is explained by where such a request goes", async () => {
    expect((await call(CALLER, '/teapot/line')).status).toBe(418)
    const said = await json<LogReport>('x', 'explain', '--log', await logLine('caller', 'feat', '/teapot/line'))
    expect(said.writtenBy).toEqual({ pod: 'caller.feat', direction: 'outbound' })
    expect(said.now?.branches.map(({ status }) => status)).toEqual([418])
    expect(said.causes.map(({ kind, name }) => `${kind} ${name}`)).toContain('VirtualService cart')
  })

  test('plain text to a server that wants mutual TLS is explained by both rules', async () => {
    const report = await explain('caller.feat', 'http://strict.feat/')
    expect(report.branches.map(({ status, flag }) => [status, flag])).toEqual([[503, 'UF']])
    expect(causesOf(report, 'cluster')).toContain('DestinationRule feat/strict')
    expect(causesOf(report, 'inbound')).toContain('PeerAuthentication feat/strict')
    await eventually(async () => expect((await call(CALLER, '/', { url: 'http://strict.feat/' })).status).toBe(503))
  })

  test('a host that the namespace may not call is blocked, as explained, by its Sidecar', async () => {
    const report = await explain('caller.other', 'http://192.0.2.7/')
    expect(report.branches.map(({ status }) => status)).toEqual([502])
    expect(causesOf(report, 'virtual host')).toContain('Sidecar other/default')
    await eventually(async () => expect((await call('other/caller', '/', { url: 'http://192.0.2.7/' })).status).toBe(502))
  })

  test('requests from outside are followed through the gateway', async () => {
    const report = await explain('deployment/istio-ingressgateway.istio-system', 'http://shop.example/')
    expect(report.branches.map(({ result }) => result)).toEqual(['reaches cart.feat.svc.cluster.local, subset v1'])
    expect(causesOf(report, 'listener')).toEqual(['Gateway feat/front'])
    expect(causesOf(report, 'route')).toEqual(['VirtualService feat/shop spec.http[0]'])
    await eventually(async () => expect(await podsOf(DRIVER, { url: GATEWAY_URL, headers: { host: 'shop.example' } })).toEqual(['cart-v1']))
    const lost = await explain('deployment/istio-ingressgateway.istio-system', 'http://elsewhere.example/')
    expect(lost.branches.map(({ status }) => status)).toEqual([404])
  })

  test('routing cases pass on the running mesh, and a wrong one fails with what decided', async () => {
    const file = join(folder, 'cases.yaml')
    const cases = [
      {
        name: 'testers see the new cart',
        from: 'pod/caller.feat',
        request: 'GET http://cart.feat/shared',
        headers: { 'x-user': 'tester' },
        expect: { destination: 'cart/v2' },
      },
      {
        name: 'others share',
        from: 'pod/caller.feat',
        request: 'http://cart.feat/shared',
        expect: { weights: { 'cart/v1': 50, 'cart/v2': 50 } },
      },
      { name: 'wrong', from: 'pod/caller.feat', request: 'http://cart.feat/teapot', expect: { status: 200 } },
    ]
    writeFileSync(file, JSON.stringify({ cases }))
    const { code, output } = await mesh().lateen('test', '-f', file)
    expect(code).not.toBe(0)
    expect(output).toMatch(/wrong/)
    expect(output).toContain('VirtualService feat/cart')
    writeFileSync(file, JSON.stringify({ cases: cases.slice(0, 2) }))
    expect((await mesh().lateen('test', '-f', file)).code).toBe(0)
  })

  test('applying a rule that names what is not there gives a warning, and is done', async () => {
    const lost = networking(
      'VirtualService',
      { name: 'lost', namespace: 'feat' },
      { hosts: ['lost'], http: [{ route: [{ destination: { host: 'nobody', subset: 'v9' } }] }] },
    )
    const { code, stderr } = await mesh().tryKubectl(['apply', '-f', '-'], { stdin: lost })
    expect(code).toBe(0)
    expect(stderr).toMatch(/Warning: .*nobody.*IST0101/)
  })

  test('the addresses in the status of a ServiceEntry lead to its endpoints', async () => {
    const spec = {
      hosts: ['pay.example'],
      resolution: 'STATIC',
      workloadSelector: { labels: { app: 'cart', version: 'v2' } },
      ports: [{ number: 8085, name: 'tcp', protocol: 'TCP', targetPort: 8080 }],
    }
    await mesh().apply(networking('ServiceEntry', { name: 'pay', namespace: 'feat' }, spec))
    const path = 'jsonpath={.status.addresses[?(@.host=="pay.example")].value}'
    const addresses = async () => (await mesh().kubectl('get', 'serviceentry', 'pay', '-n', 'feat', '-o', path)).split(' ')
    await eventually(async () => expect((await addresses())[0]).toMatch(/^240\.240\./))
    const [address] = await addresses()
    await eventually(async () => expect((await call(CALLER, '/', { url: `http://${address}:8085/said` })).pod).toBe('cart-v2'))
  })

  test('a Gateway, a route and an Ingress say whether they work and where they are reached', async () => {
    const gatewayApi = (kind: string, name: string, spec: unknown) =>
      documents({ apiVersion: 'gateway.networking.k8s.io/v1', kind, metadata: { name, namespace: 'feat' }, spec })
    const ingress = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'door', namespace: 'feat', annotations: { 'kubernetes.io/ingress.class': 'istio' } },
      spec: { defaultBackend: { service: { name: 'cart', port: { number: 80 } } } },
    }
    await mesh().apply(
      [
        gatewayApi('Gateway', 'edge', { gatewayClassName: 'istio', listeners: [{ name: 'web', port: 80, protocol: 'HTTP' }] }),
        gatewayApi('HTTPRoute', 'good', { parentRefs: [{ name: 'edge' }], rules: [{ backendRefs: [{ name: 'cart', port: 80 }] }] }),
        gatewayApi('HTTPRoute', 'bad', {
          parentRefs: [{ name: 'edge', sectionName: 'no-such' }],
          rules: [{ backendRefs: [{ name: 'nobody', port: 80 }] }],
        }),
        documents(ingress),
      ].join(''),
    )
    await mesh().kubectl('wait', '--for=condition=Programmed', 'gateway.gateway.networking.k8s.io/edge', '-n', 'feat', '--timeout=55s')
    const status = async (object: string, path: string) => mesh().kubectl('get', object, '-n', 'feat', '-o', `jsonpath=${path}`)
    const conditions = '{range .status.parents[0].conditions[*]}{.type}={.reason} {end}'
    await eventually(async () => expect(await status('httproute/good', conditions)).toBe('Accepted=Accepted ResolvedRefs=ResolvedRefs '))
    await eventually(async () =>
      expect(await status('httproute/bad', conditions)).toBe('Accepted=NoMatchingParent ResolvedRefs=BackendNotFound '),
    )
    await eventually(async () => {
      expect(await status('gateway.gateway.networking.k8s.io/edge', '{.status.listeners[0].attachedRoutes}')).toBe('1')
    })
    const given = await mesh().kubectl(
      'get',
      'service/istio-ingressgateway',
      '-n',
      'istio-system',
      '-o',
      'jsonpath={.status.loadBalancer.ingress[0].ip}',
    )
    await eventually(async () => expect(await status('ingress/door', '{.status.loadBalancer.ingress[0].ip}')).toBe(given))
  })
})
