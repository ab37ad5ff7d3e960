/** The Gateway API: Gateways that are deployed by the mesh, routes of every kind through them, and routes of Services in the mesh. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, newAuthority } from '../../harness/authority.ts'
import { type Answer, type CallSpec, documents, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, OTHER_CALLER } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { secret } from '../../harness/objects.ts'
import { expectShare, tally } from '../../harness/statistics.ts'

const GROUP = 'gateway.networking.k8s.io'
/** The Service that is made for Gateway feat/edge. */
const EDGE = 'edge-istio.feat'

interface Meta {
  readonly name: string
  readonly namespace: string
  readonly annotations?: Readonly<Record<string, string>>
}

const api = (kind: string, metadata: Meta, spec: object, version = 'v1') =>
  documents({ apiVersion: `${GROUP}/${version}`, kind, metadata, spec })
const listener = (name: string, port: number, protocol: string, more: object = {}) => ({ name, port, protocol, ...more })
const to = (name: string, port = 80, more: object = {}) => ({ name, port, ...more })
const EDGE_REF = (sectionName = 'http', more: object = {}) => ({ name: 'edge', sectionName, ...more })
/** An HTTPRoute of one host at the Gateway's listener for HTTP. */
const httpRoute = (name: string, rules: readonly object[], namespace = 'feat', more: object = {}) =>
  api(
    'HTTPRoute',
    { name, namespace },
    { parentRefs: [EDGE_REF('http', { namespace: 'feat' })], hostnames: [`${name}.api.example`], rules, ...more },
  )
const path = (value: string, type = 'PathPrefix') => ({ path: { type, value } })

const LISTENERS = [
  listener('http', 80, 'HTTP', { hostname: '*.api.example', allowedRoutes: { namespaces: { from: 'All' } } }),
  listener('own', 81, 'HTTP'),
  listener('some', 82, 'HTTP', {
    allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } } },
  }),
  listener('https', 443, 'HTTPS', { hostname: 'secure.example', tls: { certificateRefs: [{ name: 'edge-cert' }] } }),
  listener('granted', 444, 'HTTPS', {
    hostname: 'granted.example',
    tls: { certificateRefs: [{ name: 'granted-cert', namespace: 'other' }] },
  }),
  listener('refused', 445, 'HTTPS', {
    hostname: 'refused.example',
    tls: { certificateRefs: [{ name: 'refused-cert', namespace: 'other' }] },
  }),
  listener('mutual', 446, 'HTTPS', { hostname: 'mutual.example', tls: { certificateRefs: [{ name: 'edge-cert' }] } }),
  listener('passed', 8443, 'TLS', { hostname: '*.pass.example', tls: { mode: 'Passthrough' } }),
  listener('ended', 8444, 'TLS', { hostname: 'ended.example', tls: { mode: 'Terminate', certificateRefs: [{ name: 'edge-cert' }] } }),
  listener('bytes', 9000, 'TCP'),
]

const edge = (more: object = {}) =>
  api(
    'Gateway',
    { name: 'edge', namespace: 'feat' },
    {
      gatewayClassName: 'istio',
      listeners: LISTENERS,
      allowedListeners: { namespaces: { from: 'Same' } },
      infrastructure: {
        labels: { tier: 'front', [`${GROUP}/gateway-name`]: 'mine' },
        annotations: { 'example.com/team': 'edge' },
        parametersRef: { group: '', kind: 'ConfigMap', name: 'edge-parameters' },
      },
      tls: {
        frontend: {
          default: {},
          perPort: [{ port: 446, tls: { validation: { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'clients' }] } } }],
        },
      },
      ...more,
    },
  )

const ROUTES = [
  httpRoute('matches', [
    { matches: [path('/exact', 'Exact')], backendRefs: [to('web')] },
    { matches: [path('/pre')], backendRefs: [to('web')] },
    { matches: [path('/re/[0-9]+', 'RegularExpression')], backendRefs: [to('web')] },
    { matches: [{ headers: [{ name: 'x-kind', value: 'wanted' }] }], backendRefs: [to('web')] },
    { matches: [{ queryParams: [{ name: 'q', value: '^a+$', type: 'RegularExpression' }] }], backendRefs: [to('web')] },
    { matches: [{ method: 'POST' }], backendRefs: [to('web')] },
  ]),
  httpRoute('precedence', [
    { matches: [path('/')], backendRefs: [to('web')] },
    { matches: [path('/a')], backendRefs: [to('beta')] },
    { matches: [path('/a', 'Exact')], backendRefs: [to('web')] },
  ]),
  httpRoute('weights', [{ backendRefs: [to('web', 80, { weight: 3 }), to('beta', 80, { weight: 1 }), to('shadow', 80, { weight: 0 })] }]),
  httpRoute('headers', [
    {
      filters: [
        {
          type: 'RequestHeaderModifier',
          requestHeaderModifier: { set: [{ name: 'x-set', value: 'new' }], add: [{ name: 'x-add', value: 'more' }], remove: ['x-gone'] },
        },
        {
          type: 'ResponseHeaderModifier',
          responseHeaderModifier: {
            set: [{ name: 'x-pod', value: 'hidden' }],
            add: [{ name: 'x-added', value: 'yes' }],
            remove: ['x-port'],
          },
        },
      ],
      backendRefs: [to('web')],
    },
  ]),
  httpRoute('redirect', [
    {
      matches: [path('/old')],
      filters: [
        {
          type: 'RequestRedirect',
          requestRedirect: {
            scheme: 'https',
            hostname: 'new.example',
            port: 8443,
            statusCode: 301,
            path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' },
          },
        },
      ],
    },
  ]),
  httpRoute('rewrite', [
    {
      matches: [path('/pre')],
      filters: [
        {
          type: 'URLRewrite',
          urlRewrite: { hostname: 'inner.example', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/deep/er' } },
        },
      ],
      backendRefs: [to('web')],
    },
    {
      matches: [path('/full')],
      filters: [{ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: '/whole' } } }],
      backendRefs: [to('web')],
    },
  ]),
  httpRoute('mirror', [{ filters: [{ type: 'RequestMirror', requestMirror: { backendRef: to('shadow') } }], backendRefs: [to('web')] }]),
  httpRoute('mirror-share', [
    {
      filters: [{ type: 'RequestMirror', requestMirror: { backendRef: to('shadow'), fraction: { numerator: 1, denominator: 4 } } }],
      backendRefs: [to('web')],
    },
  ]),
  httpRoute('by-backend', [
    {
      backendRefs: ['web', 'beta'].map((name) => {
        const requestHeaderModifier = { set: [{ name: 'x-chosen', value: name }] }
        return to(name, 80, { filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier }] })
      }),
    },
  ]),
  httpRoute('cors', [
    {
      filters: [
        {
          type: 'CORS',
          cors: { allowOrigins: ['https://ok.example'], allowMethods: ['GET', 'PUT'], allowHeaders: ['x-key'], maxAge: 600 },
        },
      ],
      backendRefs: [to('web')],
    },
  ]),
  httpRoute('retried', [{ retry: { codes: [503], attempts: 3 }, backendRefs: [to('web')] }]),
  httpRoute('timeouts', [{ timeouts: { request: '300ms' }, backendRefs: [to('web')] }]),
  ...['backend', 'backend-refused', 'backend-mistaken'].map((name) => httpRoute(name, [{ backendRefs: [to(name)] }])),
  ...[
    { name: 'backend', hostname: 'a.pass.example', authorities: 'clients' },
    { name: 'backend-refused', hostname: 'a.pass.example', authorities: 'strangers' },
    { name: 'backend-mistaken', hostname: 'b.pass.example', authorities: 'clients' },
  ].map(({ name, hostname, authorities }) =>
    api(
      'BackendTLSPolicy',
      { name, namespace: 'feat' },
      {
        targetRefs: [{ group: '', kind: 'Service', name, sectionName: 'http' }],
        validation: { hostname, caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: authorities }] },
      },
    ),
  ),
  httpRoute('nowhere', [{ backendRefs: [to('missing')] }]),
  httpRoute('away', [{ backendRefs: [to('away', 80, { namespace: 'other' })] }]),
  httpRoute('away-refused', [{ backendRefs: [to('secret-away', 80, { namespace: 'other' })] }]),
  httpRoute('from-other', [{ backendRefs: [to('away')] }], 'other'),
  httpRoute('own-only', [{ backendRefs: [to('away')] }], 'other', { parentRefs: [EDGE_REF('own', { namespace: 'feat' })] }),
  httpRoute('some-only', [{ backendRefs: [to('away')] }], 'other', { parentRefs: [EDGE_REF('some', { namespace: 'feat' })] }),
  httpRoute('some-not', [{ backendRefs: [to('web')] }], 'feat', { parentRefs: [EDGE_REF('some')] }),
  ...['https', 'granted', 'refused', 'mutual'].map((section) =>
    httpRoute(section, [{ backendRefs: [to('web')] }], 'feat', { parentRefs: [EDGE_REF(section)], hostnames: [] }),
  ),
  api(
    'GRPCRoute',
    { name: 'calls', namespace: 'feat' },
    {
      parentRefs: [EDGE_REF()],
      hostnames: ['grpc.api.example'],
      rules: [
        { matches: [{ method: { service: 'echo.Echo', method: 'Say' } }], backendRefs: [to('calls', 50_051)] },
        { matches: [{ method: { service: 'echo.Other' } }], backendRefs: [to('other-calls', 50_051)] },
      ],
    },
  ),
  api(
    'TLSRoute',
    { name: 'passed', namespace: 'feat' },
    { parentRefs: [EDGE_REF('passed')], hostnames: ['a.pass.example'], rules: [{ backendRefs: [to('secure', 443)] }] },
  ),
  api(
    'TLSRoute',
    { name: 'ended', namespace: 'feat' },
    { parentRefs: [EDGE_REF('ended')], hostnames: ['ended.example'], rules: [{ backendRefs: [to('web', 9000)] }] },
  ),
  api(
    'TCPRoute',
    { name: 'bytes', namespace: 'feat' },
    { parentRefs: [EDGE_REF('bytes')], rules: [{ backendRefs: [to('web', 9000)] }] },
    'v1alpha2',
  ),
  api(
    'ReferenceGrant',
    { name: 'web', namespace: 'other' },
    { from: [{ group: GROUP, kind: 'HTTPRoute', namespace: 'feat' }], to: [{ group: '', kind: 'Service', name: 'away' }] },
    'v1beta1',
  ),
  api(
    'ReferenceGrant',
    { name: 'certificates', namespace: 'other' },
    { from: [{ group: GROUP, kind: 'Gateway', namespace: 'feat' }], to: [{ group: '', kind: 'Secret', name: 'granted-cert' }] },
    'v1beta1',
  ),
]

/** Routes of Services: of the service's own namespace for all callers, of another for callers there. */
const serviceRoute = (name: string, namespace: string, service: object, header: string) =>
  api(
    'HTTPRoute',
    { name, namespace },
    {
      parentRefs: [{ group: '', kind: 'Service', ...service }],
      rules: [
        {
          filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-route', value: header }] } }],
          backendRefs: [to('web', 80, { namespace: 'feat' })],
        },
      ],
    },
  )

const MESH_ROUTES = [
  api(
    'GRPCRoute',
    { name: 'calls-in-mesh', namespace: 'feat' },
    {
      parentRefs: [{ group: '', kind: 'Service', name: 'mesh-calls' }],
      rules: [
        { matches: [{ method: { service: 'echo.Other' } }], backendRefs: [to('other-calls', 50_051)] },
        { backendRefs: [to('calls', 50_051)] },
      ],
    },
  ),
  api(
    'TCPRoute',
    { name: 'lines-in-mesh', namespace: 'feat' },
    { parentRefs: [{ group: '', kind: 'Service', name: 'lines' }], rules: [{ backendRefs: [to('other-lines', 9000)] }] },
    'v1alpha2',
  ),
  serviceRoute('producer', 'feat', { name: 'beta', port: 80 }, 'producer'),
  serviceRoute('consumer', 'other', { name: 'shadow', namespace: 'feat', port: 80 }, 'consumer'),
  api(
    'ReferenceGrant',
    { name: 'consumer', namespace: 'feat' },
    { from: [{ group: GROUP, kind: 'HTTPRoute', namespace: 'other' }], to: [{ group: '', kind: 'Service' }] },
    'v1beta1',
  ),
]

const SERVICES = [
  echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], tcp: [9000, 9000] } }),
  echoService({ name: 'calls', namespace: 'feat', selector: { app: 'web' }, ports: { grpc: [50_051, 50_051] } }),
  echoService({ name: 'other-calls', namespace: 'feat', selector: { app: 'beta' }, ports: { grpc: [50_051, 50_051] } }),
  echoService({ name: 'mesh-calls', namespace: 'feat', selector: { app: 'web' }, ports: { grpc: [50_051, 50_051] } }),
  echoService({ name: 'lines', namespace: 'feat', selector: { app: 'web' }, ports: { tcp: [9000, 9000] } }),
  echoService({ name: 'other-lines', namespace: 'feat', selector: { app: 'beta' }, ports: { tcp: [9000, 9000] } }),
  echoService({ name: 'beta', namespace: 'feat' }),
  echoService({ name: 'shadow', namespace: 'feat' }),
  echoService({ name: 'secure', namespace: 'feat', ports: { https: [443, 8443] } }),
  ...['backend', 'backend-refused', 'backend-mistaken'].map((name) =>
    echoService({ name, namespace: 'feat', selector: { app: 'secure' }, ports: { http: [80, 8443] } }),
  ),
  echoService({ name: 'away', namespace: 'other' }),
  echoService({ name: 'secret-away', namespace: 'other', selector: { app: 'away' } }),
]

const configMap = (name: string, namespace: string, data: Readonly<Record<string, string>>, labels = {}) =>
  documents({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data })

describeWithMesh('the Gateway API', (mesh) => {
  let echo: Echo
  let authority: Authority
  beforeAll(async () => {
    if (whySkipped()) return
    authority = await newAuthority('example')
    const credential = async (name: string, namespace: string, host: string) => {
      const { certificate, key } = await authority.issue(host)
      return secret(name, namespace, { 'tls.crt': certificate, 'tls.key': key })
    }
    const pass = await authority.issue('a.pass.example')
    const first = [
      edge(),
      configMap('edge-parameters', 'feat', {
        service: 'spec: {type: ClusterIP, ports: [{port: 9000, nodePort: null, targetPort: 9000}]}',
        deployment: 'spec: {template: {spec: {containers: [{name: istio-proxy, env: [{name: FROM_PARAMETERS, value: "yes"}]}]}}}',
      }),
      configMap(
        'istio-defaults',
        'istio-system',
        { podDisruptionBudget: 'spec: {minAvailable: 1}' },
        { 'gateway.istio.io/defaults-for-class': 'istio' },
      ),
      configMap('clients', 'feat', { 'ca.crt': authority.certificate }),
      configMap('strangers', 'feat', { 'ca.crt': (await newAuthority('strangers')).certificate }),
      await credential('edge-cert', 'feat', 'secure.example'),
      await credential('granted-cert', 'other', 'granted.example'),
      await credential('refused-cert', 'other', 'refused.example'),
      secret('secure', 'feat', { cert: pass.certificate, key: pass.key }),
    ]
    echo = await deployEcho(
      mesh(),
      [
        { name: 'web', namespace: 'feat', listen: ['8080=http', '9000=tcp', '50051=http'] },
        { name: 'beta', namespace: 'feat', listen: ['8080=http', '9000=tcp', '50051=http'] },
        { name: 'shadow', namespace: 'feat' },
        {
          name: 'secure',
          namespace: 'feat',
          inject: false,
          listen: ['8443=https'],
          env: { TLS_CERT: '/certs/cert', TLS_KEY: '/certs/key' },
          secrets: { '/certs': 'secure' },
        },
        { name: 'away', namespace: 'other' },
        { name: 'caller', namespace: 'feat' },
        { name: 'caller', namespace: 'other' },
      ],
      [...first, ...SERVICES, ...ROUTES, ...MESH_ROUTES].join(''),
    )
    await eventually(async () => expect(await http('weights')).toMatchObject({ status: 200 }))
  })
  afterAll(() => echo?.close())

  const http = (name: string, { path: where = '/', ...more }: Partial<CallSpec> & { path?: string; port?: number } = {}): Promise<Answer> =>
    echo.callOnce(DRIVER, {
      url: `http://${EDGE}:${more.port ?? 80}${where}`,
      ...more,
      headers: { host: `${name}.api.example`, ...more.headers },
    })
  const https = (host: string, port: number, more: Partial<CallSpec> = {}): Promise<Answer> =>
    echo.callOnce(DRIVER, { url: `https://${EDGE}:${port}/`, headers: { host }, servername: host, ca: authority.certificate, ...more })

  describe('a Gateway of class istio', () => {
    const get = async (kind: string, name = 'edge-istio', namespace = 'feat') =>
      JSON.parse(await mesh().kubectl('get', kind, name, '-n', namespace, '-o', 'json'))

    test('is deployed: an account, a Deployment and a Service of its own', async () => {
      await mesh().kubectl('wait', '--for=condition=Programmed', `gateways.${GROUP}/edge`, '-n', 'feat', '--timeout=30s')
      expect((await get(`gateways.${GROUP}`, 'edge')).status.addresses).toEqual([{ type: 'Hostname', value: `${EDGE}.svc.cluster.local` }])
      const [service, deployment] = [await get('service'), await get('deployment')]
      expect(service.spec.ports.map((port: { port: number }) => port.port)).toEqual([15021, ...LISTENERS.map((one) => one.port)])
      expect(deployment.spec.template.spec.serviceAccountName).toBe('edge-istio')
      for (const made of [service, deployment, await get('serviceaccount')]) {
        expect(made.metadata.labels).toMatchObject({
          [`${GROUP}/gateway-name`]: 'edge',
          'gateway.istio.io/managed': 'istio.io-gateway-controller',
        })
        expect(made.metadata.ownerReferences).toMatchObject([{ kind: 'Gateway', name: 'edge' }])
      }
    })

    test('its infrastructure has the labels, annotations and parameters that are asked for, and the defaults of its class', async () => {
      const [service, deployment, budget] = [await get('service'), await get('deployment'), await get('pdb')]
      for (const { metadata } of [service, deployment, deployment.spec.template]) {
        expect(metadata.labels).toMatchObject({ tier: 'front', [`${GROUP}/gateway-name`]: 'edge' })
        expect(metadata.annotations).toMatchObject({ 'example.com/team': 'edge' })
      }
      expect(service.spec.type).toBe('ClusterIP')
      expect(deployment.spec.template.spec.containers[0].env).toContainEqual({ name: 'FROM_PARAMETERS', value: 'yes' })
      expect(budget.spec).toMatchObject({ minAvailable: 1, selector: { matchLabels: { [`${GROUP}/gateway-name`]: 'edge' } } })
    })

    test('what is changed or deleted behind its back is put right', async () => {
      const { uid } = (await get('service')).metadata
      await mesh().kubectl('delete', 'service', 'edge-istio', '-n', 'feat')
      await mesh().kubectl(
        'patch',
        'deployment',
        'edge-istio',
        '-n',
        'feat',
        '--type=merge',
        '-p',
        '{"spec":{"template":{"spec":{"serviceAccountName":"default"}}}}',
      )
      await eventually(async () => {
        expect((await get('service')).metadata.uid).not.toBe(uid)
        expect((await get('deployment')).spec.template.spec.serviceAccountName).toBe('edge-istio')
      })
      await eventually(async () => expect(await http('weights')).toMatchObject({ status: 200 }))
    })

    test('what somebody else made under its name is left alone', async () => {
      await mesh().apply(
        echoService({ name: 'taken-istio', namespace: 'feat' }) +
          api('Gateway', { name: 'taken', namespace: 'feat' }, { gatewayClassName: 'istio', listeners: [listener('http', 80, 'HTTP')] }),
      )
      await eventually(async () => expect((await get('deployment', 'taken-istio')).metadata.name).toBe('taken-istio'))
      expect((await get('service', 'taken-istio')).spec.selector).toEqual({ app: 'taken-istio' })
    })

    test('takes names, type and account from annotations, and what was made for it goes with it', async () => {
      const annotations = {
        'gateway.istio.io/name-override': 'short',
        'gateway.istio.io/service-account': 'own-account',
        'networking.istio.io/service-type': 'NodePort',
      }
      const gone = { name: 'gone', namespace: 'other', annotations }
      await mesh().apply(api('Gateway', gone, { gatewayClassName: 'istio', listeners: [listener('http', 80, 'HTTP')] }))
      await eventually(async () => {
        expect((await get('service', 'short', 'other')).spec.type).toBe('NodePort')
        expect((await get('deployment', 'short', 'other')).spec.template.spec.serviceAccountName).toBe('own-account')
      })
      await mesh().kubectl('delete', `gateways.${GROUP}`, 'gone', '-n', 'other')
      await eventually(async () => {
        const left = await mesh().kubectl(
          'get',
          'deployment,service,serviceaccount',
          '-n',
          'other',
          '-l',
          'gateway.istio.io/managed',
          '-o',
          'name',
        )
        expect(left).toBe('')
      })
    })

    test('with an address that names a service it is served by that, and nothing is deployed', async () => {
      const addresses = [{ type: 'Hostname', value: 'istio-ingressgateway.istio-system.svc.cluster.local' }]
      await mesh().apply(
        api(
          'Gateway',
          { name: 'manual', namespace: 'feat' },
          { gatewayClassName: 'istio', addresses, listeners: [listener('http', 80, 'HTTP')] },
        ) + httpRoute('manual', [{ backendRefs: [to('web')] }], 'feat', { parentRefs: [{ name: 'manual' }] }),
      )
      const call = { url: 'http://istio-ingressgateway.istio-system/', headers: { host: 'manual.api.example' } }
      await eventually(async () => expect(await echo.callOnce(DRIVER, call)).toMatchObject({ status: 200, pod: 'web' }))
      expect(await mesh().kubectl('get', 'deployment', '-n', 'feat', '-o', 'name')).not.toContain('manual')
    })

    test('a ListenerSet adds listeners to it, and ports to its Service', async () => {
      await mesh().apply(
        api(
          'ListenerSet',
          { name: 'more', namespace: 'feat' },
          { parentRef: { name: 'edge' }, listeners: [listener('extra', 8085, 'HTTP')] },
        ) + httpRoute('extra', [{ backendRefs: [to('beta')] }], 'feat', { parentRefs: [{ kind: 'ListenerSet', name: 'more' }] }),
      )
      await eventually(async () => expect(await http('extra', { port: 8085 })).toMatchObject({ status: 200, pod: 'beta' }))
    })
  })

  describe('an HTTPRoute at a Gateway', () => {
    test('matches by path, header, query and method; what no rule takes is 404', async () => {
      const taken = [
        { path: '/exact' },
        { path: '/pre/x' },
        { path: '/re/12' },
        { headers: { 'x-kind': 'wanted' } },
        { path: '/?q=aaa' },
        { method: 'POST' },
      ]
      for (const call of taken) expect(await http('matches', call), JSON.stringify(call)).toMatchObject({ status: 200, pod: 'web' })
      for (const where of ['/exact/x', '/prefix', '/re/x', '/?q=b', '/'])
        expect(await http('matches', { path: where }), where).toMatchObject({ status: 404 })
    })

    test('the most specific rule comes first, wherever it is written', async () => {
      expect(await http('precedence', { path: '/a' })).toMatchObject({ pod: 'web' })
      expect(await http('precedence', { path: '/a/b' })).toMatchObject({ pod: 'beta' })
      expect(await http('precedence', { path: '/b' })).toMatchObject({ pod: 'web' })
    })

    test('weights split the requests', async () => {
      const id = randomUUID()
      await echo.call(DRIVER, { url: `http://${EDGE}/`, headers: { host: 'weights.api.example', 'x-test': id }, count: 400 })
      const received = await Promise.all(['web', 'beta', 'shadow'].map((pod) => echo.received(`feat/${pod}`, { test: id })))
      const seen = tally(received.flat().map(({ pod }) => pod))
      expect(Object.keys(seen).sort()).toEqual(['beta', 'web'])
      expectShare(seen['web'] ?? 0, 400, 0.75)
    })

    test('filters change headers of requests and answers', async () => {
      const answer = await http('headers', { headers: { 'x-set': 'old', 'x-add': 'some', 'x-gone': 'here' } })
      expect(answer.echo?.headers).toMatchObject({ 'x-set': 'new', 'x-add': 'some, more' })
      expect(answer.echo?.headers).not.toHaveProperty('x-gone')
      expect(answer.headers).toMatchObject({ 'x-pod': 'hidden', 'x-added': 'yes' })
      expect(answer.headers).not.toHaveProperty('x-port')
    })

    test('filters redirect, with scheme, host, port and path', async () => {
      const answer = await http('redirect', { path: '/old/place' })
      expect(answer).toMatchObject({ status: 301, headers: { location: 'https://new.example:8443/new/place' } })
    })

    test('filters rewrite host and path', async () => {
      expect((await http('rewrite', { path: '/pre/x' })).echo).toMatchObject({ path: '/deep/er/x', authority: 'inner.example' })
      expect((await http('rewrite', { path: '/full/x' })).echo).toMatchObject({ path: '/whole', authority: 'rewrite.api.example' })
    })

    test('filters mirror: another service gets a copy of each request', async () => {
      const id = randomUUID()
      await echo.call(DRIVER, { url: `http://${EDGE}/`, headers: { host: 'mirror.api.example', 'x-test': id }, count: 20 })
      expect(await echo.received('feat/web', { test: id })).toHaveLength(20)
      await eventually(async () => expect(await echo.received('feat/shadow', { test: id })).toHaveLength(20))
    })

    test('a mirror may get a share of the requests', async () => {
      const id = randomUUID()
      await echo.call(DRIVER, { url: `http://${EDGE}/`, headers: { host: 'mirror-share.api.example', 'x-test': id }, count: 300 })
      await eventually(async () => expectShare((await echo.received('feat/shadow', { test: id })).length, 300, 0.25))
    })

    test('filters of a backend are for the requests that go there', async () => {
      const spec = { url: `http://${EDGE}/`, headers: { host: 'by-backend.api.example' }, count: 40 }
      const seen = tally((await echo.call(DRIVER, spec)).map(({ pod, echo: received }) => `${pod} ${received?.headers['x-chosen']}`))
      expect(Object.keys(seen).sort()).toEqual(['beta beta', 'web web'])
    })

    test('CORS: a preflight of an allowed origin is answered, with what is allowed', async () => {
      const preflight = (origin: string) => http('cors', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } })
      expect(await preflight('https://ok.example')).toMatchObject({
        status: 200,
        headers: {
          'access-control-allow-origin': 'https://ok.example',
          'access-control-allow-methods': 'GET,PUT',
          'access-control-allow-headers': 'x-key',
          'access-control-max-age': '600',
        },
      })
      expect((await preflight('https://no.example')).headers).not.toHaveProperty('access-control-allow-origin')
    })

    test('a retry repeats requests that fail with the codes that it names', async () => {
      const id = randomUUID()
      expect(await http('retried', { path: `/?fail=2&id=${id}`, headers: { 'x-test': id } })).toMatchObject({ status: 200, pod: 'web' })
      expect(await echo.received('feat/web', { test: id })).toHaveLength(3)
    })

    test('a timeout ends a slow request', async () => {
      expect(await http('timeouts', { path: '/?delay=2000' })).toMatchObject({ status: 504 })
      expect(await http('timeouts')).toMatchObject({ status: 200, pod: 'web' })
    })

    test('a backend that is not there answers 500, and one of another namespace needs a grant', async () => {
      expect(await http('nowhere')).toMatchObject({ status: 500 })
      expect(await http('away')).toMatchObject({ status: 200, pod: 'away' })
      expect(await http('away-refused')).toMatchObject({ status: 500 })
    })

    test('attaches only where its namespace is let in', async () => {
      expect(await http('from-other')).toMatchObject({ status: 200, pod: 'away' })
      expect(await http('own-only', { port: 81 })).toMatchObject({ status: 404 })
      expect(await http('some-only', { port: 82 })).toMatchObject({ status: 200, pod: 'away' })
      expect(await http('some-not', { port: 82 })).toMatchObject({ status: 404 })
    })
  })

  describe('TLS at a Gateway', () => {
    test('is ended with the certificate that the listener names', async () => {
      expect(await https('secure.example', 443)).toMatchObject({ status: 200, pod: 'web', peer: 'DNS:secure.example' })
    })

    test('a certificate of another namespace needs a grant', async () => {
      expect(await https('granted.example', 444)).toMatchObject({ status: 200, pod: 'web', peer: 'DNS:granted.example' })
      expect(await https('refused.example', 445)).toMatchObject({ status: 0 })
    })

    test('clients are checked against the authority that the Gateway names for the port', async () => {
      const known = { ca: '' }
      expect(await https('mutual.example', 446, known)).toMatchObject({ status: 0 })
      const { certificate: cert, key } = await authority.issue('client.example')
      expect(await https('mutual.example', 446, { ...known, cert, key })).toMatchObject({ status: 200, pod: 'web' })
    })

    test('TLSRoute: what is passed through is routed by its name', async () => {
      expect(await https('a.pass.example', 8443)).toMatchObject({ status: 200, pod: 'secure', peer: 'DNS:a.pass.example' })
      expect(await https('b.pass.example', 8443)).toMatchObject({ status: 0 })
    })

    test('TLSRoute: what is ended goes on as bytes', async () => {
      const call: CallSpec = { url: `tls://${EDGE}:8444`, version: 'tcp', servername: 'ended.example', body: 'ended' }
      expect(await echo.callOnce(DRIVER, call)).toMatchObject({ body: 'web ended', peer: 'DNS:secure.example' })
    })
  })

  test('TCPRoute: bytes go to the service of the route', async () => {
    expect(await echo.callOnce(DRIVER, { url: `tcp://${EDGE}:9000`, version: 'tcp', body: 'api-bytes' })).toMatchObject({
      body: 'web api-bytes',
    })
    expect(await echo.received('feat/web', { path: 'api-bytes', protocol: 'tcp' })).toHaveLength(1)
  })

  test('GRPCRoute: calls go by service and method', async () => {
    const call = (where: string) =>
      echo.callOnce(DRIVER, { url: `http://${EDGE}${where}`, version: 'grpc', headers: { host: 'grpc.api.example' } })
    expect(await call('/echo.Echo/Say')).toMatchObject({ grpcStatus: 0, pod: 'web' })
    expect(await call('/echo.Other/Any')).toMatchObject({ grpcStatus: 0, pod: 'beta' })
    expect(await call('/echo.Echo/Shout')).not.toMatchObject({ grpcStatus: 0 })
  })

  describe('an HTTPRoute of a Service', () => {
    const routeSeen = async (from: string, service: string) => {
      const { status, pod, echo: received } = await echo.callOnce(from, { url: `http://${service}.feat/` })
      return { status, pod, route: received?.headers['x-route'] }
    }

    test('of its own namespace holds for every caller', async () => {
      for (const from of [CALLER, OTHER_CALLER])
        await eventually(async () => expect(await routeSeen(from, 'beta')).toEqual({ status: 200, pod: 'web', route: 'producer' }))
    })

    test('of another namespace holds for callers of that namespace alone', async () => {
      await eventually(async () => expect(await routeSeen(OTHER_CALLER, 'shadow')).toEqual({ status: 200, pod: 'web', route: 'consumer' }))
      expect(await routeSeen(CALLER, 'shadow')).toEqual({ status: 200, pod: 'shadow', route: undefined })
    })
  })

  test('BackendTLSPolicy: gateways and sidecars speak TLS to a backend, whose certificate must be for its host, by its authority', async () => {
    const called = {
      gateway: (name: string) => http(name),
      sidecar: (name: string) => echo.callOnce(CALLER, { url: `http://${name}.feat/` }),
    }
    for (const call of Object.values(called)) {
      await eventually(async () => expect(await call('backend')).toMatchObject({ status: 200, pod: 'secure' }))
      expect((await call('backend')).echo?.tls).toMatchObject({ sni: 'a.pass.example' })
      for (const name of ['backend-refused', 'backend-mistaken']) expect(await call(name), name).toMatchObject({ status: 503 })
    }
  })

  test('a GRPCRoute of a Service: calls in the mesh go by service and method', async () => {
    const call = (where: string) => echo.callOnce(CALLER, { url: `http://mesh-calls.feat:50051${where}`, version: 'grpc' })
    await eventually(async () => expect(await call('/echo.Other/Any')).toMatchObject({ grpcStatus: 0, pod: 'beta' }))
    expect(await call('/echo.Echo/Say')).toMatchObject({ grpcStatus: 0, pod: 'web' })
  })

  test('a TCPRoute of a Service: bytes in the mesh go where it says', async () => {
    const call = () => echo.callOnce(CALLER, { url: 'tcp://lines.feat:9000', version: 'tcp', body: 'in-mesh' })
    await eventually(async () => expect(await call()).toMatchObject({ body: 'beta in-mesh' }))
  })
})
