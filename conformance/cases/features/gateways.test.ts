/** What a Gateway's servers do with connections: TLS of every mode, several servers on a port, bytes, certificates that change. */

import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, type Issued, newAuthority } from '../../harness/authority.ts'
import { type Answer, type CallSpec, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, NOWHERE_URL } from '../../harness/echo-mesh.ts'
import { askEnvoy } from '../../harness/envoy-admin.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { networking, secret } from '../../harness/objects.ts'

const WEB = 'web.feat.svc.cluster.local'
const SECURE = 'secure.feat.svc.cluster.local'

/** Ports that the gateway listens on by themselves, since no Service of it has them. */
const PORT = {
  http: 9080,
  redirect: 9081,
  tcp: 9000,
  tls: 9443,
  mesh: 9444,
  sni: 15443,
  strict: 9445,
  bound: 9090,
  local: 9091,
  odd: 9092,
  odder: 9093,
} as const

const tls = (mode: string, name: string, more: object = {}) => ({ mode, credentialName: `${name}-cert`, ...more })
const server = (protocol: string, number: number, hosts: readonly string[], more: object = {}) => ({
  port: { number, name: `${protocol.toLowerCase()}-${number}-${hosts[0]?.replaceAll(/[^a-z]/g, '-')}`, protocol },
  hosts,
  ...more,
})

const EDGE = networking(
  'Gateway',
  { name: 'edge', namespace: 'feat' },
  {
    selector: { istio: 'ingressgateway' },
    servers: [
      server('HTTP', PORT.http, ['plain.example']),
      server('HTTP', PORT.http, ['feat/mine.example', 'other/theirs.example']),
      server('HTTP', PORT.redirect, ['simple.example'], { tls: { httpsRedirect: true } }),
      server('TCP', PORT.tcp, ['*']),
      server('HTTPS', PORT.tls, ['simple.example'], { tls: tls('SIMPLE', 'simple') }),
      server('HTTPS', PORT.tls, ['*.wild.example'], { tls: tls('SIMPLE', 'wild') }),
      server('HTTPS', PORT.tls, ['mutual.example'], { tls: tls('MUTUAL', 'mutual') }),
      server('HTTPS', PORT.tls, ['optional.example'], { tls: tls('OPTIONAL_MUTUAL', 'mutual') }),
      server('HTTPS', PORT.tls, ['new.example'], { tls: tls('SIMPLE', 'simple', { minProtocolVersion: 'TLSV1_3' }) }),
      server('HTTPS', PORT.tls, ['old.example'], {
        tls: tls('SIMPLE', 'simple', { maxProtocolVersion: 'TLSV1_2', cipherSuites: ['ECDHE-ECDSA-AES256-GCM-SHA384'] }),
      }),
      server('TLS', PORT.tls, ['pass.example'], { tls: { mode: 'PASSTHROUGH' } }),
      server('TLS', PORT.tls, ['bytes.example'], { tls: tls('SIMPLE', 'simple') }),
      server('HTTPS', PORT.mesh, ['mesh.example'], { tls: { mode: 'ISTIO_MUTUAL' } }),
      server('TLS', PORT.sni, ['*.local'], { tls: { mode: 'AUTO_PASSTHROUGH' } }),
    ],
  },
)

/** Servers whose TLS looks more closely at certificates; `pinned` is that of the one client that some of them let in. */
const closely = (pinned: X509Certificate): Readonly<Record<string, object>> => {
  const spki = pinned.publicKey.export({ type: 'spki', format: 'der' })
  return {
    'several.example': { mode: 'SIMPLE', credentialNames: ['several-ecdsa', 'several-rsa'] },
    'trusting.example': { mode: 'MUTUAL', credentialName: 'simple-cert', caCertCredentialName: 'clients' },
    'names.example': tls('MUTUAL', 'mutual', { subjectAltNames: ['client.example'] }),
    'spki.example': tls('MUTUAL', 'mutual', { verifyCertificateSpki: [createHash('sha256').update(spki).digest('base64')] }),
    'hash.example': tls('MUTUAL', 'mutual', { verifyCertificateHash: [createHash('sha256').update(pinned.raw).digest('hex')] }),
  }
}
const closer = (pinned: X509Certificate): string => {
  const servers = Object.entries(closely(pinned)).map(([host, settings]) => server('HTTPS', PORT.tls, [host], { tls: settings }))
  const name = { name: 'closer', namespace: 'feat' }
  const hosts = Object.keys(closely(pinned))
  return (
    networking('Gateway', name, { selector: { istio: 'ingressgateway' }, servers }) +
    networking('VirtualService', name, { hosts, gateways: ['closer'], http: route(WEB) })
  )
}

const route = (host: string, port = 80) => [{ route: [{ destination: { host, port: { number: port } } }] }]
const https = ['simple.example', 'a.wild.example', 'mutual.example', 'optional.example', 'new.example', 'old.example', 'mesh.example']

const OBJECTS = [
  EDGE,
  networking(
    'VirtualService',
    { name: 'edge', namespace: 'feat' },
    { hosts: ['plain.example', 'mine.example', 'theirs.example', ...https], gateways: ['edge'], http: route(WEB) },
  ),
  networking(
    'VirtualService',
    { name: 'edge-tcp', namespace: 'feat' },
    { hosts: ['*'], gateways: ['edge'], tcp: [{ match: [{ port: PORT.tcp }], ...route(WEB, 9000)[0] }] },
  ),
  networking(
    'VirtualService',
    { name: 'edge-tls', namespace: 'feat' },
    {
      hosts: ['pass.example', 'bytes.example'],
      gateways: ['edge'],
      tls: [{ match: [{ port: PORT.tls, sniHosts: ['pass.example'] }], ...route(SECURE, 443)[0] }],
      tcp: [{ match: [{ port: PORT.tls }], ...route(WEB, 9000)[0] }],
    },
  ),
  echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], tcp: [9000, 9000] } }),
  echoService({ name: 'secure', namespace: 'feat', ports: { https: [443, 8443] } }),
  echoService({
    name: 'edge',
    namespace: 'istio-system',
    selector: { istio: 'ingressgateway' },
    ports: { 'https-mesh': [PORT.mesh, PORT.mesh] },
  }),
  networking(
    'DestinationRule',
    { name: 'edge', namespace: 'feat' },
    { host: 'edge.istio-system.svc.cluster.local', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL', sni: 'mesh.example' } } },
  ),
].join('')

const pem = ({ certificate, key }: Issued, more: Readonly<Record<string, string>> = {}) => ({
  'tls.crt': certificate,
  'tls.key': key,
  ...more,
})

describeWithMesh('a Gateway', (mesh) => {
  let echo: Echo
  let authority: Authority
  let strangers: Authority
  let client: Issued
  let address = ''
  beforeAll(async () => {
    if (whySkipped()) return
    authority = await newAuthority('example')
    strangers = await newAuthority('strangers')
    const simple = await authority.issue('simple.example')
    const pass = await authority.issue('pass.example')
    const credentials = [
      secret('simple-cert', 'istio-system', pem(simple)),
      secret('wild-cert', 'istio-system', pem(await authority.issue('*.wild.example'))),
      secret('mutual-cert', 'istio-system', pem(await authority.issue('mutual.example'), { 'ca.crt': authority.certificate })),
      secret('secure', 'feat', { cert: pass.certificate, key: pass.key }),
      secret('several-ecdsa', 'istio-system', pem(await authority.issue('several.example'))),
      secret('several-rsa', 'istio-system', pem(await authority.issue('several.example', { keys: 'RSA' }))),
      secret('clients', 'istio-system', { 'ca.crt': strangers.certificate }),
    ]
    client = await authority.issue('client.example')
    echo = await deployEcho(
      mesh(),
      [
        { name: 'web', namespace: 'feat', listen: ['8080=http', '9000=tcp'] },
        {
          name: 'secure',
          namespace: 'feat',
          inject: false,
          listen: ['8443=https'],
          env: { TLS_CERT: '/certs/cert', TLS_KEY: '/certs/key' },
          secrets: { '/certs': 'secure' },
        },
        { name: 'caller', namespace: 'feat' },
      ],
      OBJECTS + credentials.join('') + closer(new X509Certificate(client.certificate)),
    )
    address = await gatewayAddress(mesh())
    await eventually(async () => expect(await secured('simple.example')).toMatchObject({ status: 200, pod: 'web' }))
  })
  afterAll(() => echo?.close())

  const at = (spec: Omit<CallSpec, 'url'> & { readonly url: string }) =>
    echo.callOnce(DRIVER, { ...spec, url: spec.url.replace('gateway', address) })
  const plain = (host: string, port: number = PORT.http) => at({ url: `http://gateway:${port}/`, headers: { host } })
  const secured = (host: string, more: Partial<CallSpec> = {}): Promise<Answer> =>
    at({ url: `https://gateway:${PORT.tls}/`, headers: { host }, ca: authority.certificate, servername: host, ...more })
  const anyCertificate = { ca: '' }

  test('HTTP: a server serves the hosts that it names, and of a port each server its own', async () => {
    await eventually(async () => expect(await plain('plain.example')).toMatchObject({ status: 200, pod: 'web' }))
    expect(await plain('plain.example:9080')).toMatchObject({ status: 200, pod: 'web' })
    expect(await plain('else.example')).toMatchObject({ status: 404 })
  })

  test('hosts with a namespace are served by VirtualServices of that namespace alone', async () => {
    await eventually(async () => expect(await plain('mine.example')).toMatchObject({ status: 200, pod: 'web' }))
    expect(await plain('theirs.example')).toMatchObject({ status: 404 })
  })

  test('httpsRedirect answers with the same place on HTTPS', async () => {
    const answer = await eventually(async () => {
      const redirected = await plain('simple.example', PORT.redirect)
      expect(redirected.status).toBe(301)
      return redirected
    })
    expect(answer.headers['location']).toMatch(/^https:\/\/simple\.example/)
  })

  test('TCP: bytes go to the service of the route', async () => {
    await eventually(async () =>
      expect(await at({ url: `tcp://gateway:${PORT.tcp}`, version: 'tcp', body: 'edge-tcp' })).toMatchObject({ body: 'web edge-tcp' }),
    )
    expect(await echo.received('feat/web', { path: 'edge-tcp', protocol: 'tcp' })).toHaveLength(1)
  })

  test('SIMPLE: the certificate is chosen by the name asked for, over HTTP/1.1 and HTTP/2', async () => {
    expect(await secured('simple.example')).toMatchObject({ status: 200, alpn: 'http/1.1', peer: 'DNS:simple.example' })
    expect(await secured('simple.example', { version: 'h2' })).toMatchObject({ status: 200, alpn: 'h2', peer: 'DNS:simple.example' })
    expect(await secured('a.wild.example')).toMatchObject({ status: 200, peer: 'DNS:*.wild.example' })
  })

  test('a name that no server has gets no certificate', async () => {
    expect(await secured('unknown.example')).toMatchObject({ status: 0 })
  })

  test('MUTUAL: only a client with a certificate of the right authority is served', async () => {
    expect(await secured('mutual.example')).toMatchObject({ status: 0 })
    const { certificate: cert, key } = await authority.issue('client.example')
    expect(await secured('mutual.example', { cert, key })).toMatchObject({ status: 200, pod: 'web' })
    const stranger = await strangers.issue('client.example')
    expect(await secured('mutual.example', { cert: stranger.certificate, key: stranger.key })).toMatchObject({ status: 0 })
  })

  test('OPTIONAL_MUTUAL: a client without a certificate is served, one with a wrong certificate is not', async () => {
    const bare = { servername: 'optional.example', ...anyCertificate }
    expect(await secured('optional.example', bare)).toMatchObject({ status: 200, pod: 'web' })
    const { certificate: cert, key } = await authority.issue('client.example')
    expect(await secured('optional.example', { ...bare, cert, key })).toMatchObject({ status: 200, pod: 'web' })
    const stranger = await strangers.issue('client.example')
    expect(await secured('optional.example', { ...bare, cert: stranger.certificate, key: stranger.key })).toMatchObject({ status: 0 })
  })

  test('versions and ciphers of TLS are those that the server allows', async () => {
    expect(await secured('new.example', anyCertificate)).toMatchObject({ status: 200, tlsVersion: 'TLSv1.3' })
    expect(await secured('new.example', { ...anyCertificate, maxVersion: 'TLSv1.2' })).toMatchObject({ status: 0 })
    expect(await secured('old.example', anyCertificate)).toMatchObject({
      status: 200,
      tlsVersion: 'TLSv1.2',
      cipher: 'ECDHE-ECDSA-AES256-GCM-SHA384',
    })
    expect(await secured('old.example', { ...anyCertificate, minVersion: 'TLSv1.3' })).toMatchObject({ status: 0 })
    expect(await secured('old.example', { ...anyCertificate, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).toMatchObject({ status: 0 })
  })

  test('credentialNames: each client gets the certificate that it understands', async () => {
    for (const cipher of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'])
      expect(await secured('several.example', { maxVersion: 'TLSv1.2', ciphers: cipher })).toMatchObject({ status: 200, cipher })
  })

  describe('clients of MUTUAL servers', () => {
    const as = ({ certificate: cert, key }: Issued) => ({ ...anyCertificate, cert, key })

    test('caCertCredentialName: their authority is in a Secret of its own', async () => {
      expect(await secured('trusting.example', as(client))).toMatchObject({ status: 0 })
      const stranger = await strangers.issue('client.example')
      expect(await secured('trusting.example', as(stranger))).toMatchObject({ status: 200, pod: 'web', peer: 'DNS:simple.example' })
    })

    test('subjectAltNames: only the names that are listed are served', async () => {
      expect(await secured('names.example', as(client))).toMatchObject({ status: 200, pod: 'web' })
      expect(await secured('names.example', as(await authority.issue('another.example')))).toMatchObject({ status: 0 })
    })

    test.each(['spki', 'hash'])(
      'verifyCertificateSpki and verifyCertificateHash: only the certificate that is pinned is served: %s',
      async (by) => {
        expect(await secured(`${by}.example`, as(client))).toMatchObject({ status: 200, pod: 'web' })
        // Of the same name, but with a key of its own.
        expect(await secured(`${by}.example`, as(await authority.issue('client.example')))).toMatchObject({ status: 0 })
      },
    )
  })

  test('bind: a server listens on the address that it names alone', async () => {
    const bound = { name: 'bound', namespace: 'feat' }
    const servers = [
      server('HTTP', PORT.bound, ['bound.example'], { bind: address }),
      server('HTTP', PORT.local, ['bound.example'], { bind: '127.0.0.1' }),
    ]
    await mesh().apply(
      networking('Gateway', bound, { selector: { istio: 'ingressgateway' }, servers }) +
        networking('VirtualService', bound, { hosts: ['bound.example'], gateways: ['bound'], http: route(WEB) }),
    )
    await eventually(async () => expect(await plain('bound.example', PORT.bound)).toMatchObject({ status: 200, pod: 'web' }))
    const here = `http://127.0.0.1:${PORT.local}/`
    const gateway = ['deployment/istio-ingressgateway', '-n', 'istio-system']
    await eventually(async () =>
      expect(await mesh().kubectl('exec', ...gateway, '--', 'curl', '-s', '-H', 'host: bound.example', here)).toContain('"pod":"web"'),
    )
    expect(await plain('bound.example', PORT.local)).toMatchObject({ status: 0 })
  })

  test('name and defaultEndpoint: a server counts under its name; where requests go is for routes alone to say', async () => {
    const odd = { name: 'odd', namespace: 'feat' }
    const more = { tls: tls('SIMPLE', 'simple'), name: 'odd-one', defaultEndpoint: '127.0.0.1:1' }
    const servers = [server('HTTPS', PORT.odd, ['odd.example'], more)]
    await mesh().apply(
      networking('Gateway', odd, { selector: { istio: 'ingressgateway' }, servers }) +
        networking('VirtualService', odd, { hosts: ['odd.example'], gateways: ['odd'], http: route(WEB) }),
    )
    const call = { url: `https://gateway:${PORT.odd}/`, headers: { host: 'odd.example' }, servername: 'odd.example', ...anyCertificate }
    await eventually(async () => expect(await at(call)).toMatchObject({ status: 200, pod: 'web' }))
    const dump = `config_dump?resource=dynamic_listeners&name_regex=.*_${PORT.odd}`
    const listener = await askEnvoy(mesh(), 'deployment/istio-ingressgateway', dump, 'istio-system')
    expect(listener).toMatch(/"stat_prefix": "odd-one"/)
  })

  test('targetPort, which a Gateway has no use for, is refused by name', async () => {
    const odder = server('HTTP', PORT.odder, ['odder.example'])
    const servers = [{ ...odder, port: { ...odder.port, targetPort: 8080 } }]
    const text = networking('Gateway', { name: 'odder', namespace: 'feat' }, { selector: { istio: 'ingressgateway' }, servers })
    const { code, output } = await mesh().tryKubectl(['apply', '-f', '-'], { stdin: text })
    expect(code).not.toBe(0)
    expect(output).toContain('spec.servers[0].port.targetPort')
  })

  test('PASSTHROUGH: TLS goes through to the app, which shows its own certificate', async () => {
    const answer = await secured('pass.example')
    expect(answer).toMatchObject({ status: 200, pod: 'secure', peer: 'DNS:pass.example' })
    expect(answer.echo?.tls).toMatchObject({ sni: 'pass.example' })
  })

  test('TLS ended at the gateway: what is in it goes on as bytes', async () => {
    const answer = await at({ url: `tls://gateway:${PORT.tls}`, version: 'tcp', servername: 'bytes.example', body: 'edge-bytes' })
    expect(answer).toMatchObject({ body: 'web edge-bytes', peer: 'DNS:simple.example' })
    expect(await echo.received('feat/web', { path: 'edge-bytes', protocol: 'tcp' })).toHaveLength(1)
  })

  test('ISTIO_MUTUAL: a sidecar is served by its identity, a stranger is not', async () => {
    await eventually(async () =>
      expect(
        await echo.callOnce(CALLER, { url: `http://edge.istio-system:${PORT.mesh}/`, headers: { host: 'mesh.example' } }),
      ).toMatchObject({ status: 200, pod: 'web' }),
    )
    expect(await at({ url: `https://gateway:${PORT.mesh}/`, headers: { host: 'mesh.example' }, servername: 'mesh.example' })).toMatchObject(
      { status: 0 },
    )
  })

  test('AUTO_PASSTHROUGH: the name that a sidecar asks for says to which service its bytes go; others are refused', async () => {
    const name = `outbound_.80_._.${WEB}`
    await mesh().apply(
      networking(
        'ServiceEntry',
        { name: 'remote', namespace: 'feat' },
        {
          hosts: ['remote.example'],
          location: 'MESH_INTERNAL',
          resolution: 'STATIC',
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
          endpoints: [{ address, ports: { http: PORT.sni } }],
        },
      ) +
        networking(
          'DestinationRule',
          { name: 'remote', namespace: 'feat' },
          { host: 'remote.example', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL', sni: name } } },
        ),
    )
    const answer = await eventually(async () => {
      const passed = await echo.callOnce(CALLER, { url: NOWHERE_URL, headers: { host: 'remote.example' } })
      expect(passed).toMatchObject({ status: 200, pod: 'web' })
      return passed
    })
    // The identity at the other end is the caller's, not the gateway's.
    expect(answer.echo?.headers['x-forwarded-client-cert']).toContain('URI=spiffe://cluster.local/ns/feat/sa/default')
    expect(await at({ url: `https://gateway:${PORT.sni}/`, servername: name })).toMatchObject({ status: 0 })
  })

  describe('when a credential changes', () => {
    test('new connections get the new certificate, and kept ones lose no request', async () => {
      const spec = {
        url: `https://${address}:${PORT.tls}/?delay=100`,
        headers: { host: 'simple.example' },
        ca: authority.certificate,
        servername: 'simple.example',
      }
      const kept = echo.call(DRIVER, { ...spec, count: 60, parallel: 2 })
      await mesh().apply(secret('simple-cert', 'istio-system', pem(await authority.issue('again.example'))))
      await eventually(async () =>
        expect(await secured('simple.example', anyCertificate)).toMatchObject({ status: 200, peer: 'DNS:again.example' }),
      )
      const answers = await kept
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      // The whole of them on the two connections that were there before.
      expect(new Set(answers.map(({ peer }) => peer))).toEqual(new Set(['DNS:simple.example']))
    })
  })
})

function gatewayAddress(mesh: Mesh): Promise<string> {
  return mesh.kubectl('get', 'pod', '-n', 'istio-system', '-l', 'istio=ingressgateway', '-o', 'jsonpath={.items[0].status.podIP}')
}
