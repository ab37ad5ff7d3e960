/** What a gateway does with connections of its own: certificates from its files, HTTP/3, the PROXY protocol, proxies in front of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, type Issued, newAuthority } from '../../harness/authority.ts'
import { type Answer, type CallSpec, documents, type Echo, echoService, podsReady } from '../../harness/echo.ts'
import { DRIVER, deployEcho } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking, secret, secretsReadableBy } from '../../harness/objects.ts'

const WEB = 'web.feat.svc.cluster.local'
/** Where the gateway has its files. */
const FILES = '/etc/own'
const file = (name: string) => `${FILES}/${name}`
const ownCertificate = { serverCertificate: file('simple.crt'), privateKey: file('simple.key') }
const mutual = { mode: 'MUTUAL', ...ownCertificate, caCertificates: file('ca.crt') }

const server = (protocol: string, number: number, hosts: readonly string[], tls?: object) => ({
  port: { number, name: `${protocol.toLowerCase()}-${number}-${hosts[0]?.replaceAll(/[^a-z]/g, '-')}`, protocol },
  hosts,
  ...(tls ? { tls } : {}),
})

/** What the gateway `own` serves by hosts of one port, each with TLS of its own. */
const TLS: Readonly<Record<string, object>> = {
  'simple.example': { mode: 'SIMPLE', ...ownCertificate },
  'mutual.example': mutual,
  'revoked.example': { ...mutual, caCrl: file('crl.pem') },
  'several.example': {
    mode: 'SIMPLE',
    tlsCertificates: [
      { serverCertificate: file('ecdsa.crt'), privateKey: file('ecdsa.key') },
      { serverCertificate: file('rsa.crt'), privateKey: file('rsa.key') },
    ],
  },
  'several-mutual.example': {
    mode: 'MUTUAL',
    caCertificates: file('ca.crt'),
    tlsCertificates: [{ ...ownCertificate, caCertificates: file('strangers.crt') }],
  },
}

/** A pod that is nothing but a gateway; `files` is a Secret that it has at {@link FILES}. */
const gatewayPod = (name: string, { proxyConfig, files }: { proxyConfig: object; files?: string }) =>
  documents({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'feat',
      labels: { gateway: name, 'sidecar.istio.io/inject': 'true' },
      annotations: { 'inject.istio.io/templates': 'gateway', 'proxy.istio.io/config': JSON.stringify(proxyConfig) },
    },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'istio-proxy',
          image: 'auto',
          startupProbe: { httpGet: { path: '/healthz/ready', port: 15021 }, periodSeconds: 1, failureThreshold: 60 },
          ...(files ? { volumeMounts: [{ name: 'files', mountPath: FILES, readOnly: true }] } : {}),
        },
      ],
      ...(files ? { volumes: [{ name: 'files', secret: { secretName: files } }] } : {}),
    },
  })

const service = (name: string, ports: readonly object[]) =>
  documents({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'feat' },
    spec: { selector: { gateway: name }, ports },
  })

/** An Envoy that takes plain requests and passes them on by HTTP/3 alone. */
const http3Client = (authority: string) => {
  const typed = (type: string, more: object = {}) => ({ '@type': `type.googleapis.com/envoy.extensions.${type}`, ...more })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'in',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'h3' } }] }] },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  const tls = {
    sni: 'simple.example',
    common_tls_context: { alpn_protocols: ['h3'], validation_context: { trusted_ca: { inline_string: authority } } },
  }
  const address = (host: string, port: number) => ({ socket_address: { address: host, port_value: port } })
  const config = {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address('0.0.0.0', 8080),
          filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'h3',
          type: 'STRICT_DNS',
          load_assignment: { cluster_name: 'h3', endpoints: [{ lb_endpoints: [{ endpoint: { address: address('own.feat', 9443) } }] }] },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed('upstreams.http.v3.HttpProtocolOptions', {
              explicit_http_config: { http3_protocol_options: {} },
            }),
          },
          transport_socket: {
            name: 'envoy.transport_sockets.quic',
            typed_config: typed('transport_sockets.quic.v3.QuicUpstreamTransport', { upstream_tls_context: tls }),
          },
        },
      ],
    },
  }
  const named = { name: 'h3', namespace: 'outside' }
  return (
    documents(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: named, data: { 'envoy.json': JSON.stringify(config) } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...named, labels: { app: 'h3' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'envoy',
              image: 'istio/proxyv2',
              command: ['/usr/local/bin/envoy', '-c', '/config/envoy.json', '--concurrency', '1'],
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
              volumeMounts: [{ name: 'config', mountPath: '/config' }],
            },
          ],
          volumes: [{ name: 'config', configMap: { name: 'h3' } }],
        },
      },
    ) + echoService({ name: 'h3', namespace: 'outside' })
  )
}

const route = (port = 80) => [{ route: [{ destination: { host: WEB, port: { number: port } } }] }]

const OBJECTS = [
  echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], tcp: [9000, 9000] } }),
  gatewayPod('own', { proxyConfig: { gatewayTopology: { numTrustedProxies: 2 } }, files: 'own-files' }),
  gatewayPod('told', { proxyConfig: { gatewayTopology: { proxyProtocol: {} } } }),
  service('own', [
    { name: 'http', port: 9080 },
    { name: 'https', port: 9443 },
    { name: 'http3', port: 9443, protocol: 'UDP' },
  ]),
  service('told', [
    { name: 'http', port: 9080 },
    { name: 'https', port: 9443 },
    { name: 'tcp', port: 9000 },
  ]),
  networking(
    'Gateway',
    { name: 'own', namespace: 'feat' },
    {
      selector: { gateway: 'own' },
      servers: [server('HTTP', 9080, ['*']), ...Object.entries(TLS).map(([host, tls]) => server('HTTPS', 9443, [host], tls))],
    },
  ),
  networking(
    'Gateway',
    { name: 'told', namespace: 'feat' },
    {
      selector: { gateway: 'told' },
      servers: [
        server('HTTP', 9080, ['*']),
        server('HTTPS', 9443, ['secured.example'], { mode: 'SIMPLE', credentialName: 'told-cert' }),
        server('TCP', 9000, ['*']),
      ],
    },
  ),
  networking('VirtualService', { name: 'web', namespace: 'feat' }, { hosts: ['*'], gateways: ['own', 'told'], http: route() }),
  networking(
    'VirtualService',
    { name: 'bytes', namespace: 'feat' },
    {
      hosts: ['*'],
      gateways: ['told'],
      tcp: [{ match: [{ port: 9000 }], ...route(9000)[0] }],
    },
  ),
].join('')

describeWithMesh('a gateway of its own', (mesh) => {
  let echo: Echo
  let authority: Authority
  let strangers: Authority
  let revoked: Issued
  let client: Issued
  beforeAll(async () => {
    if (whySkipped()) return
    await mesh().kubectl('set', 'env', 'deployment/istiod', '-n', 'istio-system', 'PILOT_ENABLE_QUIC_LISTENERS=true')
    await mesh().rolledOut('istiod', 'istio-system')
    authority = await newAuthority('example')
    strangers = await newAuthority('strangers')
    const simple = await authority.issue('simple.example')
    const ecdsa = await authority.issue('several.example')
    const rsa = await authority.issue('several.example', { keys: 'RSA' })
    const told = await authority.issue('secured.example')
    revoked = await authority.issue('revoked-client.example')
    client = await authority.issue('client.example')
    const files = secret('own-files', 'feat', {
      'simple.crt': simple.certificate,
      'simple.key': simple.key,
      'ecdsa.crt': ecdsa.certificate,
      'ecdsa.key': ecdsa.key,
      'rsa.crt': rsa.certificate,
      'rsa.key': rsa.key,
      'ca.crt': authority.certificate,
      'strangers.crt': strangers.certificate,
      'crl.pem': await authority.revoke(revoked),
    })
    const rights = secretsReadableBy('default', 'feat')
    const toldCertificate = secret('told-cert', 'feat', { 'tls.crt': told.certificate, 'tls.key': told.key })
    echo = await deployEcho(
      mesh(),
      [{ name: 'web', namespace: 'feat', listen: ['8080=http', '9000=tcp'] }],
      OBJECTS + files + rights + toldCertificate + http3Client(authority.certificate),
    )
    await podsReady(mesh(), 'feat', ['own', 'told'])
    await podsReady(mesh(), 'outside', ['h3'])
    await eventually(async () => expect(await secured('simple.example')).toMatchObject({ status: 200, pod: 'web' }))
  })
  afterAll(() => echo?.close())

  const at = (url: string, more: Partial<CallSpec> = {}): Promise<Answer> => echo.callOnce(DRIVER, { url, ...more })
  const secured = (host: string, more: Partial<CallSpec> = {}) =>
    at('https://own.feat:9443/', { headers: { host }, servername: host, ca: '', ...more })

  describe('certificates from its files', () => {
    test('serverCertificate and privateKey: the certificate is the file’s', async () => {
      const checked = { ca: authority.certificate }
      expect(await secured('simple.example', checked)).toMatchObject({ status: 200, pod: 'web', peer: 'DNS:simple.example' })
    })

    test('caCertificates: a client needs a certificate of that authority', async () => {
      const { certificate: cert, key } = client
      expect(await secured('mutual.example')).toMatchObject({ status: 0 })
      expect(await secured('mutual.example', { cert, key })).toMatchObject({ status: 200, pod: 'web' })
      const stranger = await strangers.issue('client.example')
      expect(await secured('mutual.example', { cert: stranger.certificate, key: stranger.key })).toMatchObject({ status: 0 })
    })

    test('caCrl: a client whose certificate was revoked is refused', async () => {
      const own = { cert: revoked.certificate, key: revoked.key }
      expect(await secured('mutual.example', own)).toMatchObject({ status: 200 })
      expect(await secured('revoked.example', own)).toMatchObject({ status: 0 })
      expect(await secured('revoked.example', { cert: client.certificate, key: client.key })).toMatchObject({ status: 200, pod: 'web' })
    })

    test('tlsCertificates: each client gets the certificate that it understands', async () => {
      for (const cipher of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'])
        expect(await secured('several.example', { maxVersion: 'TLSv1.2', ciphers: cipher })).toMatchObject({ status: 200, cipher })
    })

    test('the server’s own caCertificates say which clients are served, those beside each certificate do not', async () => {
      expect(await secured('several-mutual.example')).toMatchObject({ status: 0 })
      const known = { cert: client.certificate, key: client.key }
      expect(await secured('several-mutual.example', known)).toMatchObject({ status: 200, pod: 'web' })
      const stranger = await strangers.issue('client.example')
      expect(await secured('several-mutual.example', { cert: stranger.certificate, key: stranger.key })).toMatchObject({ status: 0 })
    })
  })

  test('HTTP/3: a port that its Service has for UDP too takes requests by QUIC, and answers by TCP say so', async () => {
    const call = { headers: { host: 'simple.example', 'x-test': 'by-http3' } }
    await eventually(async () => expect(await at('http://h3.outside/', call)).toMatchObject({ status: 200, pod: 'web' }))
    expect((await echo.received('feat/web', { test: 'by-http3' })).length).toBeGreaterThan(0)
    expect((await secured('simple.example')).headers['alt-svc']).toBe('h3=":9443"; ma=86400')
  })

  describe('with the PROXY protocol', () => {
    test.each(['v1', 'v2'] as const)('%s: the app sees whose connection it was', async (proxy) => {
      const answers = [
        await at('http://told.feat:9080/', { proxy }),
        await at('https://told.feat:9443/', {
          proxy,
          servername: 'secured.example',
          headers: { host: 'secured.example' },
          ca: authority.certificate,
        }),
      ]
      for (const answer of answers) {
        expect(answer, answer.error).toMatchObject({ status: 200, pod: 'web' })
        expect(answer.echo?.headers).toMatchObject({ 'x-forwarded-for': '203.0.113.7', 'x-envoy-external-address': '203.0.113.7' })
      }
      expect(await at('tcp://told.feat:9000', { version: 'tcp', proxy, body: `told-${proxy}` })).toMatchObject({
        body: `web told-${proxy}`,
      })
    })

    test('a connection that does not begin with it is refused', async () => {
      expect(await at('http://told.feat:9080/')).toMatchObject({ status: 0 })
    })
  })

  test('numTrustedProxies: the client is the address that the proxies in front have written', async () => {
    const forwarded = '192.0.2.1, 198.51.100.2, 203.0.113.3'
    const answer = await at('http://own.feat:9080/', { headers: { host: 'any.example', 'x-forwarded-for': forwarded } })
    expect(answer.echo?.headers['x-envoy-external-address']).toBe('198.51.100.2')
    expect(answer.echo?.headers['x-forwarded-for']).toMatch(/^192\.0\.2\.1, ?198\.51\.100\.2, ?203\.0\.113\.3,/)
  })
})
