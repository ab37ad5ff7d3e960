/** Commands about objects, workloads and the control plane, each against real pods: columns, exit codes, fields of machine forms. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployShop, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'

const POLICIES = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: shop }
spec: { selector: { matchLabels: { app: hello } }, mtls: { mode: STRICT }, portLevelMtls: { "9999": { mode: DISABLE } } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers, namespace: shop }
spec:
  selector: { matchLabels: { app: hello } }
  rules:
    - to: [{ operation: { methods: [GET] } }]
    - to: [{ operation: { methods: [HEAD] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin, namespace: shop }
spec:
  selector: { matchLabels: { app: hello } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/admin] } }] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: httpbin, namespace: shop }
spec: { host: httpbin, trafficPolicy: { tls: { mode: DISABLE } } }
---
apiVersion: v1
kind: Namespace
metadata: { name: outside }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: alone, namespace: outside }
spec:
  selector: { matchLabels: { app: alone } }
  template:
    metadata: { labels: { app: alone } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: curl, image: curlimages/curl, command: [sleep, infinity] }]
---
apiVersion: v1
kind: Service
metadata: { name: alone, namespace: outside }
spec: { selector: { app: alone }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: empty, namespace: outside }
spec: { selector: { app: nobody }, ports: [{ name: http, port: 80 }] }
`

const ROUTES = virtualService(
  'hello',
  `  hosts: [hello, shop.example]
  gateways: [mesh, front]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: hello, subset: v2 } }]
    - route: [{ destination: { host: hello, subset: v1 }, weight: 80 }, { destination: { host: hello, subset: v2 }, weight: 20 }]
`,
)

describeWithMesh('the command line', (mesh) => {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-cli-e2e-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(`${ROUTES}---\n${POLICIES}`)
    await mesh().rolledOut('alone', 'outside')
    await ok('x', 'wait', '--for=distribution', 'VirtualService/hello.shop')
    await ok('x', 'wait', 'authorizationpolicy', 'readers.shop')
  }, 120_000)

  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, output } = await mesh().lateen(...args)
    expect(code, output).toBe(0)
    return stdout
  }
  const table = async (...args: string[]): Promise<string[][]> =>
    (await ok(...args))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
  const json = async (...args: string[]): Promise<unknown> => JSON.parse(await ok(...args))

  describe('describe', () => {
    test('a pod, with what its own proxy has for its service, and the way in through the gateway', async () => {
      const text = await ok('x', 'describe', 'pod', 'deploy/hello-v1', '-n', 'shop')
      const [title, ...lines] = text.trimEnd().split('\n')
      expect(title).toMatch(/^Pod: hello-v1-/)
      expect(lines).toEqual([
        '   Pod Revision: default',
        '   Pod Ports: 5000 (hello)',
        '--------------------',
        'Service: hello',
        '   Port: http 5000/HTTP targets pod port 5000',
        'DestinationRule: hello for "hello"',
        '   Matching subsets: v1',
        '      (Non-matching subsets v2)',
        '   No Traffic Policy',
        'VirtualService: hello',
        '   Route to host "hello" subset "v1" with weight 80%',
        '   1 additional destination(s) that will not reach this pod',
        'RBAC policies: no-admin.shop, readers.shop',
        '--------------------',
        'Effective PeerAuthentication:',
        '   Workload mTLS mode: STRICT',
        '   Port Level mTLS mode:',
        '      9999: DISABLE',
        'Applied PeerAuthentication:',
        '   strict.shop',
        '--------------------',
        expect.stringMatching(/^Exposed on Ingress Gateway http:\/\//),
        'VirtualService: hello',
        '   Route to host "hello" subset "v1" with weight 80%',
        '   1 additional destination(s) that will not reach this pod',
      ])
    })

    test('a service, as the pods behind it together', async () => {
      const text = await ok('x', 'des', 'svc', 'hello.shop')
      expect(text).toContain('Service: hello.shop\n   Port: http 5000/HTTP targets pod port 5000\n')
      expect(text).toContain('   Matching subsets: v1,v2\n')
      expect(text).toContain('   Match:  when headers are end-user=jason\n')
    })

    test('what is outside of the mesh', async () => {
      expect(await ok('x', 'describe', 'pod', 'deploy/alone.outside')).toMatch(
        /WARNING: alone-\S+\.outside is not part of mesh; no Istio sidecar/,
      )
      expect(await ok('x', 'describe', 'service', 'alone.outside')).toContain(
        'Service "alone.outside" has no Istio pods.  (1 pods in service).',
      )
      expect(await ok('x', 'describe', 'service', 'empty.outside')).toContain('Service "empty.outside" has no pods.')
    })
  })

  test('authz check lists what the proxy enforces', async () => {
    const [headings, ...rows] = await table('x', 'authz', 'check', 'deploy/hello-v1.shop')
    expect(headings).toEqual(['ACTION', 'AuthorizationPolicy', 'RULES'].slice(0, headings?.length ?? 0))
    expect(rows).toEqual(
      expect.arrayContaining([
        ['DENY', 'no-admin.shop', '1'],
        ['ALLOW', 'readers.shop', '2'],
      ]),
    )
  })

  test('authn tls-check compares what clients do with what servers accept', async () => {
    const [headings, ...rows] = await table('authn', 'tls-check', 'deploy/curl.shop')
    expect(headings).toEqual(['HOST:PORT', 'STATUS', 'SERVER', 'CLIENT', 'AUTHN POLICY', 'DESTINATION RULE'])
    const of = (host: string) => rows.find(([name]) => name?.startsWith(`${host}.`))?.slice(1)
    expect(of('hello.shop')).toEqual(['OK', 'STRICT', 'ISTIO_MUTUAL (automatic)', 'strict.shop', 'hello.shop'])
    expect(of('httpbin.shop')).toEqual(['OK', 'PERMISSIVE', 'DISABLE', '-', 'httpbin.shop'])
    expect(of('alone.outside')?.slice(0, 3)).toEqual(['OK', 'HTTP', 'DISABLE (automatic)'])
    expect(await json('authn', 'tls-check', 'deploy/curl.shop', 'hello.shop', '-o', 'json')).toEqual([
      expect.objectContaining({ destination: 'hello.shop.svc.cluster.local:5000', status: 'OK', server: 'STRICT' }),
    ])
  })

  test('injection: why a pod has a proxy or none, and what each namespace gets', async () => {
    expect((await table('x', 'check-inject', 'deploy/curl.shop'))[1]).toEqual([
      'istio-sidecar-injector',
      'default',
      '✔',
      'Namespace label istio-injection=enabled matches',
    ])
    expect((await table('x', 'check-inject', 'deploy/alone.outside'))[1]?.slice(0, 3)).toEqual(['istio-sidecar-injector', 'default', '✘'])
    const list = await ok('x', 'injector', 'list')
    expect(list).toMatch(/^NAMESPACE +ISTIO-REVISION +POD-REVISIONS\n(.*\n)*shop +default +default: 4\n/)
    expect(list).toMatch(/\nNAMESPACES +INJECTOR-HOOK +ISTIO-REVISION +SIDECAR-IMAGE\n/)
  })

  test('statistics of a proxy, as text, as data, and with the application', async () => {
    expect(await ok('x', 'envoy-stats', 'deploy/curl.shop')).toContain('server.live: 1\n')
    expect(await json('x', 'es', 'deploy/curl.shop', '--type', 'clusters', '-o', 'json')).toHaveProperty('cluster_statuses')
    expect(await ok('x', 'es', '-l', 'app=curl', '-n', 'shop', '-o', 'prom')).toContain('# TYPE envoy_server_live gauge')
    expect(await ok('x', 'es', 'deploy/curl.shop', '-o', 'prom-merged')).toContain('envoy_server_live')
  })

  test('metrics of a workload are read off its proxies where there is no Prometheus', async () => {
    const { code, stdout, stderr } = await mesh().lateen('x', 'metrics', 'hello-v1.shop', 'httpbin.shop', '-d', '1s')
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('no Prometheus in namespace istio-system: the proxies are watched for 1 s\n')
    const [headings, ...rows] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/))
    expect(headings).toEqual(['WORKLOAD', 'TOTAL RPS', 'ERROR RPS', 'P50 LATENCY', 'P90 LATENCY', 'P99 LATENCY'])
    expect(rows.map(([name]) => name)).toEqual(['hello-v1.shop', 'httpbin.shop'])
    expect(rows[1]?.slice(1)).toEqual(['0.000', '0.000', '0s', '0s', '0s'])
  })

  describe('the control plane', () => {
    test('proxy-status counts what each proxy subscribes to', async () => {
      const [headings, ...rows] = await table('proxy-status', '-n', 'shop')
      expect(headings).toEqual(['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'SUBSCRIBED TYPES'])
      expect(rows).toHaveLength(4)
      expect(rows.every((row) => /^\d+ \(CDS,LDS,EDS,RDS/.test(row[4] ?? ''))).toBe(true)
      expect(await json('ps', '-n', 'shop', '-o', 'json')).toMatchObject({
        resources: expect.arrayContaining([
          expect.objectContaining({ '@type': 'type.googleapis.com/envoy.service.status.v3.ClientConfig' }),
        ]),
      })
    })

    test('its debug pages, of one replica or of all', async () => {
      expect(await json('x', 'internal-debug', 'list')).toEqual(
        expect.arrayContaining(['syncz', 'registryz', 'configz', 'config_dump', 'push_status']),
      )
      expect(await json('x', 'internal-debug', 'registryz')).toContainEqual(
        expect.objectContaining({ hostname: 'hello.shop.svc.cluster.local' }),
      )
      expect(await json('x', 'internal-debug', 'endpointShardz')).toHaveProperty(['hello.shop.svc.cluster.local', 'shop', 'Shards'])
      expect(await json('x', 'internal-debug', 'authorizationz')).toHaveProperty('authorization_policies.namespace_to_policies.shop')
      expect(Object.keys(Object(await json('x', 'internal-debug', 'mesh', '--all')))).toEqual([expect.stringMatching(/^istiod-/)])
    })

    test('which clusters it reads, which versions there are, and whether another could be installed', async () => {
      expect((await table('remote-clusters'))[0]).toEqual(['NAME', 'SECRET', 'STATUS', 'ISTIOD'])
      expect(await ok('version')).toMatch(
        /^client version: \S+\ncontrol plane version: 1\.30\.\d+\ndata plane version: 1\.30\.\d+ \(5 proxies\)\n$/,
      )
      expect(await json('x', 'version', '-o', 'json')).toMatchObject({ meshVersion: [{ Component: 'pilot', Info: { status: 'Clean' } }] })
      expect((await mesh().lateen('x', 'precheck')).output).toContain('No issues found')
    })
  })

  test('wait ends when the proxies have an object, or all that concerns a workload, or when the object is gone', async () => {
    expect(await ok('x', 'wait', '--for=distribution', 'virtualservice', 'hello.shop')).toBe(
      'Resource VirtualService/shop/hello present on 5 out of 5 sidecars\n',
    )
    expect(await ok('experimental', 'wait', '--for=distribution', 'Deployment/hello-v1.shop')).toMatch(/present on 1 out of 1 sidecars/)
    await mesh().apply(virtualService('passing', '  hosts: [httpbin]\n  http: [{ route: [{ destination: { host: httpbin } }] }]\n'))
    expect(await ok('x', 'wait', 'virtualservice', 'passing.shop')).toContain('present on 5 out of 5')
    await mesh().kubectl('delete', 'virtualservice', 'passing', '-n', 'shop')
    expect(await ok('x', 'wait', '--for=delete', 'virtualservice', 'passing.shop')).toContain('gone from 5 out of 5')
    const late = await mesh().lateen('x', 'wait', 'virtualservice', 'hello.shop', '--generation', '99', '--timeout', '1s')
    expect(late.code).toBe(1)
    expect(late.stderr).toContain('timeout expired before resource VirtualService/shop/hello became effective on all sidecars')
  })

  test('a machine outside gets what it needs, and another cluster gets access', async () => {
    const group = await ok(
      'x',
      'workload',
      'group',
      'create',
      '--name',
      'vm',
      '--namespace',
      'shop',
      '--labels',
      'app=vm',
      '--serviceAccount',
      'curl',
    )
    await mesh().apply(group)
    await ok(
      'x',
      'workload',
      'entry',
      'configure',
      '--name',
      'vm',
      '--namespace',
      'shop',
      '-o',
      join(folder, 'vm'),
      '--ingressIP',
      '192.0.2.1',
    )
    const read = (name: string) => readFileSync(join(folder, 'vm', name), 'utf8')
    expect(read('root-cert.pem')).toContain('BEGIN CERTIFICATE')
    expect(read('istio-token').split('.')).toHaveLength(3)
    expect(read('hosts')).toBe('192.0.2.1 istiod.istio-system.svc\n')
    const secret = await ok('create-remote-secret', '--name', 'west', '--server', 'https://192.0.2.2:6443')
    expect(secret).toContain('name: istio-remote-secret-west')
    expect(secret).toContain('token: ')
  })

  test.each([
    [['x', 'describe', 'pod', 'crul.shop'], 1, /there is no pod "crul" in namespace "shop"/],
    [['x', 'describe', 'service', 'helo.shop'], 1, /there is no service "helo" in namespace "shop"/],
    [['x', 'authz', 'check', 'deploy/alone.outside'], 1, /has no proxy: it was not injected/],
    [['authn', 'tls-check', 'deploy/curl.shop', 'nowhere.shop'], 1, /knows no service "nowhere\.shop"/],
    [['x', 'internal-debug', 'nonsense'], 1, /there is no debug page "nonsense"/],
    [['x', 'wait', 'nonsense', 'x'], 64, /type nonsense is not recognized/],
    [['x', 'describe', 'pod', 'deploy/curl.shop', '--as', 'system:serviceaccount:shop:curl'], 1, /cannot (get|list)|forbidden/i],
  ])('%j says in one line what is wrong', async (args, wanted, says) => {
    const { code, stdout, stderr } = await mesh().lateen(...args)
    expect(stderr).toMatch(says)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect({ code, stdout }).toEqual({ code: wanted, stdout: '' })
  })
})
