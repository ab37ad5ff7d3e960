/**
 * Credentials of gateways: every form in which a Secret may hold them, and that they are given only to a gateway whose service account may
 * read them. And the rights of the control plane itself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, type Issued, newAuthority } from '../harness/authority.ts'
import { type Answer, type CallSpec, documents, type Echo, type EchoPod, echoService } from '../harness/echo.ts'
import { DRIVER, deployEcho } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { namespaces, networking, secret, secretsReadableBy } from '../harness/objects.ts'

const WEB = 'web.feat.svc.cluster.local'
/** A server that asks for certificates, and is reached by way of a gateway. */
const OUTSIDE = 'outside.feat.svc.cluster.local'
const TLS_PORT = 9443
const HTTP_PORT = 9080

/** Forms of credentials; the name of each is the first label of its host. */
interface Form {
  readonly name: string
  readonly mode: 'SIMPLE' | 'MUTUAL'
  /** Secrets by the ends of their names. */
  readonly secrets: (own: Issued, authority: Authority, revoked: string) => Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly type?: string
}

const FORMS: readonly Form[] = [
  { name: 'opaque', mode: 'SIMPLE', secrets: (own) => ({ '': { 'tls.crt': own.certificate, 'tls.key': own.key } }) },
  {
    name: 'typed',
    mode: 'SIMPLE',
    type: 'kubernetes.io/tls',
    secrets: (own) => ({ '': { 'tls.crt': own.certificate, 'tls.key': own.key } }),
  },
  { name: 'generic', mode: 'SIMPLE', secrets: (own) => ({ '': { cert: own.certificate, key: own.key } }) },
  {
    name: 'generic-mutual',
    mode: 'MUTUAL',
    secrets: (own, { certificate }) => ({ '': { cert: own.certificate, key: own.key, cacert: certificate } }),
  },
  {
    name: 'with-ca',
    mode: 'MUTUAL',
    secrets: (own, { certificate }) => ({ '': { 'tls.crt': own.certificate, 'tls.key': own.key, 'ca.crt': certificate } }),
  },
  {
    name: 'ca-apart',
    mode: 'MUTUAL',
    secrets: (own, { certificate }) => ({ '': { 'tls.crt': own.certificate, 'tls.key': own.key }, '-cacert': { 'ca.crt': certificate } }),
  },
  {
    name: 'generic-apart',
    mode: 'MUTUAL',
    secrets: (own, { certificate }) => ({ '': { cert: own.certificate, key: own.key }, '-cacert': { cacert: certificate } }),
  },
  {
    name: 'revoking',
    mode: 'MUTUAL',
    secrets: (own, { certificate }, revoked) => ({
      '': { 'tls.crt': own.certificate, 'tls.key': own.key, 'ca.crt': certificate, 'ca.crl': revoked },
    }),
  },
]

const hostOf = (form: string) => `${form}.example`
const route = { route: [{ destination: { host: WEB } }] }

const server = (protocol: string, number: number, hosts: readonly string[], more: object = {}) => ({
  port: { number, name: `${protocol.toLowerCase()}-${number}-${hosts[0]?.replaceAll('.', '-')}`, protocol },
  hosts,
  ...more,
})

/** A gateway of a team's own, whose service account may do nothing. */
function edge(namespace: string): string {
  const labels = { istio: 'edge' }
  const spec = {
    serviceAccountName: 'edge',
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'istio-proxy', image: 'auto' }],
  }
  const template = { metadata: { labels, annotations: { 'inject.istio.io/templates': 'gateway' } }, spec }
  return documents(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'edge', namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'edge', namespace },
      spec: { selector: { matchLabels: labels }, template },
    },
  )
}

/** Requests that leave by the gateway, which begins mutual TLS with a credential of its own namespace. */
function egress(client: Issued, { certificate }: Authority): readonly string[] {
  return [
    secret('egress', 'istio-system', { ...tlsFiles(client), 'ca.crt': certificate }),
    echoService({ name: 'outside', namespace: 'feat', ports: { https: [443, 8443] } }),
    networking(
      'Gateway',
      { name: 'egress', namespace: 'feat' },
      { selector: { istio: 'ingressgateway' }, servers: [server('HTTP', HTTP_PORT, ['out.example'])] },
    ),
    networking(
      'VirtualService',
      { name: 'egress', namespace: 'feat' },
      { hosts: ['out.example'], gateways: ['egress'], http: [{ route: [{ destination: { host: OUTSIDE, port: { number: 443 } } }] }] },
    ),
    networking(
      'DestinationRule',
      { name: 'egress', namespace: 'istio-system' },
      { host: OUTSIDE, trafficPolicy: { tls: { mode: 'MUTUAL', credentialName: 'egress', sni: OUTSIDE, subjectAltNames: [OUTSIDE] } } },
    ),
  ]
}

const tlsFiles = ({ certificate, key }: Issued) => ({ 'tls.crt': certificate, 'tls.key': key })

describeWithMesh('rights', (mesh) => {
  let echo: Echo
  let authority: Authority
  let strangers: Authority
  let client: Issued
  let revoked: Issued
  let address = ''

  beforeAll(async () => {
    if (whySkipped()) return
    authority = await newAuthority('example')
    strangers = await newAuthority('strangers')
    client = await authority.issue('client.example')
    revoked = await authority.issue('revoked.example')
    const list = await authority.revoke(revoked)
    const secrets: string[] = []
    for (const { name, secrets: of, type } of FORMS) {
      const own = await authority.issue(hostOf(name))
      for (const [end, data] of Object.entries(of(own, authority, list))) {
        const object = {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: `${name}${end}`, namespace: 'istio-system' },
          stringData: data,
        }
        secrets.push(documents(end === '' && type ? { ...object, type } : object))
      }
    }
    const own = await authority.issue('edge.example')
    const outside = await authority.issue(OUTSIDE)
    const objects = [
      networking(
        'Gateway',
        { name: 'forms', namespace: 'feat' },
        {
          selector: { istio: 'ingressgateway' },
          servers: FORMS.map(({ name, mode }) => server('HTTPS', TLS_PORT, [hostOf(name)], { tls: { mode, credentialName: name } })),
        },
      ),
      networking(
        'Gateway',
        { name: 'edge', namespace: 'edge' },
        {
          selector: { istio: 'edge' },
          servers: [
            server('HTTP', HTTP_PORT, ['edge.example']),
            server('HTTPS', TLS_PORT, ['edge.example'], { tls: { mode: 'SIMPLE', credentialName: 'edge' } }),
            // Of another namespace, whatever this one may read.
            server('HTTPS', TLS_PORT, ['stolen.example'], { tls: { mode: 'SIMPLE', credentialName: 'kubernetes://istio-system/opaque' } }),
          ],
        },
      ),
      networking(
        'VirtualService',
        { name: 'web', namespace: 'feat' },
        { hosts: FORMS.map(({ name }) => hostOf(name)), gateways: ['forms'], http: [route] },
      ),
      networking(
        'VirtualService',
        { name: 'edge', namespace: 'edge' },
        { hosts: ['edge.example', 'stolen.example'], gateways: ['edge'], http: [route] },
      ),
      ...egress(client, authority),
      secret('outside', 'feat', {
        cert: outside.certificate,
        key: outside.key,
        ca: authority.certificate,
      }),
      secret('edge', 'edge', { 'tls.crt': own.certificate, 'tls.key': own.key }),
      edge('edge'),
      ...secrets,
      echoService({ name: 'web', namespace: 'feat' }),
    ]
    await mesh().apply(namespaces({ edge: 'injected', feat: 'injected' }))
    const asking: EchoPod = {
      name: 'outside',
      namespace: 'feat',
      inject: false,
      listen: ['8443=https'],
      env: { TLS_CERT: '/certs/cert', TLS_KEY: '/certs/key', TLS_CLIENT_CA: '/certs/ca' },
      secrets: { '/certs': 'outside' },
    }
    echo = await deployEcho(mesh(), [{ name: 'web', namespace: 'feat' }, asking], objects.join(''))
    await mesh().rolledOut('edge', 'edge')
    address = await addressOf(mesh(), 'istio-system', 'ingressgateway')
  })
  afterAll(() => echo?.close())

  const secured = (gateway: string, host: string, more: Partial<CallSpec> = {}) =>
    echo.callOnce(DRIVER, {
      url: `https://${gateway}:${TLS_PORT}/`,
      headers: { host },
      servername: host,
      ca: authority.certificate,
      newConnections: true,
      ...more,
    })
  const shown = ({ certificate, key }: Issued) => ({ cert: certificate, key })

  describe.each(FORMS)('as $name', ({ name, mode }) => {
    test('the credential is served, and asks of clients what it should', async () => {
      const host = hostOf(name)
      const good = mode === 'MUTUAL' ? shown(client) : {}
      await eventually(async () => expect(await secured(address, host, good)).toMatchObject({ status: 200, pod: 'web' }))
      if (mode === 'SIMPLE') return
      const stranger = await strangers.issue('client.example')
      expect(await secured(address, host)).toMatchObject({ status: 0 })
      expect(await secured(address, host, shown(stranger))).toMatchObject({ status: 0 })
      expect((await secured(address, host, shown(revoked))).status).toBe(name === 'revoking' ? 0 : 200)
    })
  })

  test('a gateway without the right to read Secrets gets none, and serves what needs none; others go on', async () => {
    const own = await addressOf(mesh(), 'edge', 'edge')
    const plain = () => echo.callOnce(DRIVER, { url: `http://${own}:${HTTP_PORT}/`, headers: { host: 'edge.example' } })
    await eventually(async () => expect(await plain()).toMatchObject({ status: 200, pod: 'web' }))
    expect(await secured(own, 'edge.example')).toMatchObject({ status: 0 })
    expect(await secured(address, hostOf('opaque'))).toMatchObject({ status: 200 })

    await mesh().apply(secretsReadableBy('edge', 'edge'))
    // The right is asked for again by itself, ever less often.
    await eventually(async () => expect(await secured(own, 'edge.example')).toMatchObject({ status: 200, pod: 'web' }), {
      withinMs: 60_000,
    })
    expect(await secured(own, 'stolen.example')).toMatchObject({ status: 0 })
  })

  test('requests that leave by a gateway show the certificate of its Secret, and the next one when that changes, without a failure', async () => {
    const leave = (more: Partial<CallSpec> = {}) =>
      echo.call(DRIVER, { url: `http://${address}:${HTTP_PORT}/`, headers: { host: 'out.example' }, ...more })
    const peers = (answers: readonly Answer[]) => [...new Set(answers.map(({ status, echo: seen }) => `${status} ${seen?.tls?.peer}`))]
    await eventually(async () => expect(peers(await leave())).toEqual(['200 DNS:client.example']))
    const meanwhile = leave({ url: `http://${address}:${HTTP_PORT}/?delay=50`, count: 60, parallel: 2 })
    const other = await authority.issue('other-client.example')
    await mesh().apply(secret('egress', 'istio-system', { ...tlsFiles(other), 'ca.crt': authority.certificate }))
    // Connections that are there stay; a request of more at once than there are makes new ones.
    await eventually(async () =>
      expect(peers(await leave({ count: 20, parallel: 20, newConnections: true }))).toContain('200 DNS:other-client.example'),
    )
    expect((await meanwhile).map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
  })

  describe('the control plane', () => {
    const ISTIOD = 'system:serviceaccount:istio-system:istiod'

    /** Questions of the form `verb resource [namespace]`. */
    const may = async (account: string, question: string): Promise<string> => {
      const [verb = '', resource = '', namespace = 'feat'] = question.split(' ')
      const [kind = '', subresource = ''] = resource.split('/')
      const { stdout } = await mesh().tryKubectl([
        ...['auth', 'can-i', verb, kind, '-n', namespace, `--as=${account}`],
        ...(subresource ? [`--subresource=${subresource}`] : []),
      ])
      return stdout.trim()
    }

    test.each([
      'list pods',
      'list secrets',
      'list virtualservices.networking.istio.io',
      'patch virtualservices.networking.istio.io/status',
      'create tokenreviews.authentication.k8s.io',
      'create secrets istio-system',
    ])('may %s', async (question) => {
      expect(await may(ISTIOD, question)).toBe('yes')
    })

    test.each([
      'create pods',
      'create pods/exec',
      'delete pods',
      'create secrets',
      'update secrets',
      'delete secrets',
      'create virtualservices.networking.istio.io',
      'update virtualservices.networking.istio.io',
      'delete authorizationpolicies.security.istio.io',
      'update nodes',
      'create roles.rbac.authorization.k8s.io',
      'create clusterrolebindings.rbac.authorization.k8s.io',
      'escalate clusterroles.rbac.authorization.k8s.io',
      'impersonate users',
      'create mutatingwebhookconfigurations.admissionregistration.k8s.io',
    ])('may not %s', async (question) => {
      expect(await may(ISTIOD, question)).toBe('no')
    })

    test.each(['list secrets feat', 'get configmaps istio-system', 'create secrets istio-system', 'list pods istio-system'])(
      'its gateway may not %s',
      async (question) => {
        expect(await may('system:serviceaccount:istio-system:istio-ingressgateway-service-account', question)).toBe('no')
      },
    )

    test('was refused nothing that it asked for: its rights are enough', async () => {
      const text = await mesh().kubectl('logs', 'deployment/istiod', '-n', 'istio-system')
      expect(text).toContain('is ready')
      expect(text.split('\n').filter((line) => /forbidden|cannot (list|get|watch|create|patch|update)/i.test(line))).toEqual([])
    })

    test('shows no token and no key in the arguments of any process', () => {
      const lines = readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .flatMap(argumentsOf)
        .filter((line) => line.includes(mesh().home) || /lateen|envoy/.test(line))
      expect(lines.length).toBeGreaterThan(3)
      expect(lines.filter((line) => /eyJ[\w-]{10,}\.|PRIVATE KEY/.test(line))).toEqual([])
    })
  })
})

/** Of a process that may have ended meanwhile. */
function argumentsOf(pid: string): string[] {
  try {
    return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
  } catch {
    return []
  }
}

const addressOf = (mesh: Mesh, namespace: string, gateway: string): Promise<string> =>
  mesh.kubectl('get', 'pod', '-n', namespace, '-l', `istio=${gateway}`, '-o', 'jsonpath={.items[0].status.podIP}')
