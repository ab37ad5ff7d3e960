/** Policies as a real Envoy carries them out, on loopback: tokens, ways around rules, external authorization. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, request as requestHttp, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { decodeResource, findEnvoy, meshOf, openProxy, type RunningEnvoy, resourcesOf, runEnvoy } from '@lateen/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const envoy = findEnvoy()
const PROXY = { namespace: 'shop', name: 'cart-1', ip: '10.0.0.1', labels: { app: 'cart' } }
const AUTHORIZER = 'outbound|8000||checker.auth.svc.cluster.local'

type Fields = Record<string, unknown>
type Policy = readonly [kind: string, name: string, spec: Fields]

const signer = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEYS = JSON.stringify({ keys: [{ ...signer.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] })
const ISSUER = 'https://issuer.example.com'

const VERIFIED: Policy = ['RequestAuthentication', 'tokens', { jwtRules: [{ issuer: ISSUER, audiences: ['shop'], jwks: KEYS }] }]
const allow = (...rules: Fields[]): Policy => ['AuthorizationPolicy', 'allowed', { rules }]
const deny = (...rules: Fields[]): Policy => ['AuthorizationPolicy', 'denied', { action: 'DENY', rules }]
const ask = (...rules: Fields[]): Policy => ['AuthorizationPolicy', 'asked', { action: 'CUSTOM', provider: { name: 'checker' }, rules }]

/** Each set of policies gets a listener of its own in one Envoy. */
const SETS: Readonly<Record<string, readonly Policy[]>> = {
  'tokens are verified': [VERIFIED],
  'a token is needed': [VERIFIED, allow({ from: [{ source: { requestPrincipals: ['*'] } }] })],
  'whoever has no token is denied': [VERIFIED, deny({ from: [{ source: { notRequestPrincipals: ['*'] } }] })],
  'only staff': [VERIFIED, allow({ when: [{ key: 'request.auth.claims[realm][groups]', values: ['staff'] }] })],
  'keys that nobody has': [
    ['RequestAuthentication', 'tokens', { jwtRules: [{ issuer: ISSUER, jwksUri: 'https://issuer.example.com/keys' }] }],
  ],
  'no way around': [
    deny(
      { to: [{ operation: { paths: ['/admin', '/admin/*'] } }] },
      { to: [{ operation: { hosts: ['admin.example.com', '*.internal.example.com'] } }] },
      { to: [{ operation: { methods: ['DELETE'] } }] },
      { when: [{ key: 'request.headers[x-role]', values: ['admin'] }] },
      { to: [{ operation: { paths: ['/users/{*}/keys', '/files/{**}'] } }] },
    ),
  ],
  'asked first': [ask({ to: [{ operation: { paths: ['/ask*'] } }] }), deny({ to: [{ operation: { paths: ['/ask/denied'] } }] }), VERIFIED],
  'nobody to ask': [
    [
      'AuthorizationPolicy',
      'asked',
      { action: 'CUSTOM', provider: { name: 'nobody' }, rules: [{ to: [{ operation: { paths: ['/ask'] } }] }] },
    ],
  ],
  'asked while away': [['AuthorizationPolicy', 'asked', { action: 'CUSTOM', provider: { name: 'away' }, rules: [{}] }]],
  'asked while away, open': [['AuthorizationPolicy', 'asked', { action: 'CUSTOM', provider: { name: 'away-open' }, rules: [{}] }]],
}

/** The same for a port of bytes. */
const BYTES: Readonly<Record<string, readonly [served: boolean, ...policies: Policy[]]>> = {
  'bytes without policies': [true],
  'bytes allowed by address': [true, allow({ from: [{ source: { ipBlocks: ['127.0.0.0/8'] } }] })],
  'bytes allowed to others': [false, allow({ from: [{ source: { ipBlocks: ['192.0.2.0/24'] } }] })],
  'bytes, allowed by conditions of HTTP alone': [false, allow({ to: [{ operation: { paths: ['/'] } }] })],
  'bytes, allowed by a condition of HTTP among others': [
    false,
    allow({ from: [{ source: { ipBlocks: ['127.0.0.0/8'] } }], to: [{ operation: { methods: ['GET'] } }] }),
  ],
  'bytes, denied by a condition of HTTP alone': [false, deny({ to: [{ operation: { paths: ['/never'] } }] })],
  'bytes, denied by a condition of HTTP and another address': [
    true,
    deny({ from: [{ source: { ipBlocks: ['192.0.2.0/24'] } }], to: [{ operation: { methods: ['GET'] } }] }),
  ],
  'bytes, asked of an authorizer that knows only requests': [true, ask({})],
}

const CHECKER = { service: 'checker.auth.svc.cluster.local', port: 8000, timeout: '2s' }
const AWAY = { service: 'away.auth.svc.cluster.local', port: 8000, timeout: '0.5s' }
const MESH = {
  pathNormalization: { normalization: 'DECODE_AND_MERGE_SLASHES' },
  extensionProviders: [
    {
      name: 'checker',
      envoyExtAuthzHttp: {
        ...CHECKER,
        includeRequestHeadersInCheck: ['authorization', 'x-user'],
        headersToUpstreamOnAllow: ['x-checked'],
        headersToDownstreamOnDeny: ['x-reason'],
        includeAdditionalHeadersInCheck: { 'x-by': 'mesh' },
      },
    },
    { name: 'away', envoyExtAuthzHttp: { ...AWAY, statusOnError: '503' } },
    { name: 'away-open', envoyExtAuthzHttp: { ...AWAY, failOpen: true } },
  ],
}

describe.skipIf(!envoy)('Envoy', () => {
  let running: RunningEnvoy
  const servers: Server[] = []
  const seen: IncomingMessage[] = []
  const checked: IncomingMessage[] = []
  const folder = mkdtempSync(join(tmpdir(), 'lateen-policies-'))
  const log = join(folder, 'access.log')

  beforeAll(async () => {
    const application = await serve(servers, (request, response) => {
      seen.push(request)
      response.end('served')
    })
    const checker = await serve(servers, (request, response) => {
      checked.push(request)
      if (request.headers['x-user'] === 'ann') response.setHeader('x-checked', 'yes').end()
      else response.writeHead(403, { 'x-reason': 'not ann' }).end()
    })
    const clusters = [
      cluster('inbound|9000||', application),
      cluster(AUTHORIZER, checker),
      // Nothing listens there.
      cluster('outbound|8000||away.auth.svc.cluster.local', 1),
    ]
    const listeners = [
      ...Object.entries(SETS).map(([name, policies]) => listenerFor(name, policies, { log, protocol: 'HTTP' })),
      ...Object.entries(BYTES).map(([name, [, ...policies]]) => listenerFor(name, policies, { log, protocol: 'TCP' })),
      gatewayListener('claims choose the route'),
    ]
    running = await runEnvoy(envoy ?? '', { node: { id: 'test', cluster: 'test' }, staticResources: { clusters, listeners } })
  }, 30_000)

  afterAll(async () => {
    await running?.stop()
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (set: string, options: Ask = {}) => call(running.ports.get(set) ?? 0, options)

  describe('verifies tokens', () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: ISSUER, sub: 'ann', aud: 'shop', exp: now + 600, realm: { groups: ['staff', 'all'] } }
    const good = token(claims)
    const TOKENS: Readonly<Record<string, readonly [string | undefined, ...expected: number[]]>> = {
      none: [undefined, 200, 403, 403, 403],
      good: [good, 200, 200, 200, 200],
      'of a guest': [token({ ...claims, realm: { groups: ['guests'] } }), 200, 200, 200, 403],
      'with one group as a text': [token({ ...claims, realm: { groups: 'staff' } }), 200, 200, 200, 200],
      expired: [token({ ...claims, exp: now - 600 }), 401, 401, 401, 401],
      'not valid yet': [token({ ...claims, nbf: now + 600 }), 401, 401, 401, 401],
      'for another audience': [token({ ...claims, aud: ['bank'] }), 403, 403, 403, 403],
      'of another issuer': [token({ ...claims, iss: 'https://other.example.com' }), 401, 401, 401, 401],
      'signed with another key': [token(claims, stranger.privateKey), 401, 401, 401, 401],
      'with alg none': [`${part({ alg: 'none', kid: 'one' })}.${part(claims)}.`, 401, 401, 401, 401],
      'signed with the public key as a secret': [secretToken(claims), 401, 401, 401, 401],
      'with another payload': [good.replace(/\.[^.]+\./, `.${part({ ...claims, sub: 'bob' })}.`), 401, 401, 401, 401],
      'that is no token': ['abc', 401, 401, 401, 401],
    }
    const sets = ['tokens are verified', 'a token is needed', 'whoever has no token is denied', 'only staff']
    const cases = Object.entries(TOKENS).flatMap(([name, [text, ...expected]]) =>
      sets.map((set, i) => ({ name, set, text, expected: expected[i] ?? 0 })),
    )
    test.each(cases)('token $name where $set: $expected', async ({ set, text, expected }) => {
      const { status } = await ask(set, { headers: text === undefined ? [] : ['authorization', `Bearer ${text}`] })
      expect(status).toBe(expected)
    })

    test('a token of an issuer without keys is refused, no token passes', async () => {
      expect((await ask('keys that nobody has', { headers: ['authorization', `Bearer ${good}`] })).status).toBe(401)
      expect((await ask('keys that nobody has')).status).toBe(200)
    })

    test('the application does not get the token', async () => {
      await ask('tokens are verified', { headers: ['authorization', `Bearer ${good}`] })
      expect(seen.at(-1)?.headers.authorization).toBeUndefined()
    })
  })

  test.each([
    ['of staff', { groups: ['all', 'staff'] }, 201],
    ['of a guest', { groups: 'guests' }, 202],
    ['of another', { groups: ['others'] }, 204],
    ['that is missing', undefined, 204],
  ])('chooses the route by the claims of a token %s', async (_, realm, expected) => {
    const text = token({ iss: ISSUER, sub: 'ann', aud: 'shop', exp: Math.floor(Date.now() / 1000) + 600, realm })
    const headers = realm ? ['authorization', `Bearer ${text}`] : []
    expect((await ask('claims choose the route', { headers })).status).toBe(expected)
  })

  test.each(Object.entries(BYTES).map(([name, [served]]) => [name, served] as const))('%s: served is %s', async (name, served) => {
    const answered = ask(name).then(
      ({ status }) => status === 200,
      () => false,
    )
    expect(await answered).toBe(served)
  })

  describe('lets nobody around a DENY rule', () => {
    const WAYS: readonly (readonly [string, Ask])[] = [
      ...[
        ...[
          '/admin',
          '/admin/',
          '/admin/users',
          '/admin?x=1',
          '/admin#x',
          '//admin',
          '///admin//users',
          '/./admin',
          '/x/../admin',
          '/x/%2e%2e/admin',
        ],
        ...['/%61dmin', '/%61%64%6d%69%6e', '/%2Fadmin', '/x/..%2fadmin', '/admin%2fusers', '/admin%5cusers', '/\\admin', '/x\\..\\admin'],
        ...['/users/7/keys', '/users/7/keys?x', '/users//7/keys', '/files/a/b', '/files/%2e%2e/admin'],
      ].map((path) => [path, { path }] as const),
      ['an absolute address', { path: 'http://cart/admin' }],
      ...[
        'admin.example.com',
        'ADMIN.Example.com',
        'admin.example.com:80',
        'admin.example.com:8443',
        'admin.example.com.',
        'admin.example.com.:80',
      ].map((host) => [`host ${host}`, { host }] as const),
      ...['a.internal.example.com', 'A.INTERNAL.EXAMPLE.COM:80', 'a.b.internal.example.com.'].map(
        (host) => [`host ${host}`, { host }] as const,
      ),
      ['the host of an absolute address', { path: 'http://admin.example.com/', host: 'cart' }],
      ['method DELETE', { method: 'DELETE' }],
      ['a header', { headers: ['x-role', 'admin'] }],
      ['a header in capitals', { headers: ['X-ROLE', 'admin'] }],
      ['a header that comes twice, last', { headers: ['x-role', 'user', 'x-role', 'admin'] }],
      ['a header that comes twice, first', { headers: ['x-role', 'admin', 'x-role', 'user'] }],
    ]
    test.each(WAYS)('%s', async (_, options) => {
      const before = seen.length
      const { status } = await ask('no way around', options)
      expect([400, 403]).toContain(status)
      expect(seen).toHaveLength(before)
    })

    test.each(['/', '/administrator', '/users/7/8/keys', '/users/keys', '/file'])('%s is served', async (path) => {
      expect((await ask('no way around', { path, host: 'cart.example.com', headers: ['x-role', 'user'] })).status).toBe(200)
    })

    test('the log names the policy and the rule', async () => {
      await ask('no way around', { path: '/admin/logged' })
      await expect.poll(() => readFileSync(log, 'utf8'), { timeout: 15_000, interval: 200 }).toContain('/admin/logged')
      const line = readFileSync(log, 'utf8')
        .split('\n')
        .find((text) => text.includes('/admin/logged'))
      expect(line).toContain('rbac_access_denied_matched_policy[ns[shop]-policy[denied]-rule[0]]')
    }, 20_000)
  })

  describe('asks an external authorizer', () => {
    test('for marked requests alone, with the token as it came, and passes on what it adds', async () => {
      const before = checked.length
      expect((await ask('asked first', { path: '/other' })).status).toBe(200)
      expect(checked).toHaveLength(before)
      expect((await ask('asked first', { path: '/ask', headers: ['x-user', 'ann', 'x-secret', 'kept'] })).status).toBe(200)
      expect(checked).toHaveLength(before + 1)
      expect(checked.at(-1)?.headers).toMatchObject({ 'x-user': 'ann', 'x-by': 'mesh' })
      expect(checked.at(-1)?.headers['x-secret']).toBeUndefined()
      expect(seen.at(-1)?.headers['x-checked']).toBe('yes')
      const bad = await ask('asked first', { path: '/ask', headers: ['x-user', 'ann', 'authorization', 'Bearer abc'] })
      expect(bad.status).toBe(401)
      expect(checked.at(-1)?.headers.authorization).toBe('Bearer abc')
    })

    test('its refusal is the answer, with the headers it may add', async () => {
      const { status, headers } = await ask('asked first', { path: '/ask', headers: ['x-user', 'bob'] })
      expect([status, headers['x-reason']]).toEqual([403, 'not ann'])
    })

    test('what it allows may still be denied', async () => {
      expect((await ask('asked first', { path: '/ask/denied', headers: ['x-user', 'ann'] })).status).toBe(403)
    })

    test('an authorizer that the mesh does not have refuses what it should decide', async () => {
      expect((await ask('nobody to ask', { path: '/ask' })).status).toBe(403)
      expect((await ask('nobody to ask', { path: '/other' })).status).toBe(200)
    })

    test('one that is away refuses, or lets pass where it is told to', async () => {
      expect((await ask('asked while away')).status).toBe(503)
      expect((await ask('asked while away, open')).status).toBe(200)
    })
  })
})

/** The listener of a port of the workload, on a free port of loopback. */
function listenerFor(
  name: string,
  policies: readonly Policy[],
  { log, protocol }: { readonly log: string; readonly protocol: 'HTTP' | 'TCP' },
): Fields {
  const objects: KubeObject[] = [
    ...['checker', 'away'].map(
      (service): KubeObject => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace: 'auth', name: service },
        spec: { clusterIP: '10.96.0.9', ports: [{ name: 'http', port: 8000 }] },
      }),
    ),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { namespace: 'shop', name: 'default' },
      spec: { ingress: [{ port: { number: 9000, name: 'port', protocol }, bind: '127.0.0.1', captureMode: 'NONE' }] },
    },
    policyObject(['PeerAuthentication', 'plain', { mtls: { mode: 'DISABLE' } }]),
    ...policies.map(policyObject),
  ]
  const mesh = meshOf({ header: { mesh: { ...MESH, accessLogFile: log } }, objects })
  expect(mesh.diagnostics().filter(({ severity }) => severity === 'Error')).toEqual([])
  const bytes = resourcesOf(openProxy(mesh, PROXY).resources(TYPE_URL.LDS)).get('127.0.0.1_9000')
  const listener = decodeResource(TYPE_URL.LDS, bytes ?? new Uint8Array()) as Fields & { filterChains: Fields[] }
  return {
    ...listener,
    name,
    address: { socketAddress: { address: '127.0.0.1', portValue: 0 } },
    // The port is not the one that the chain asks for.
    filterChains: listener.filterChains.slice(0, 1).map(({ filterChainMatch: _, ...chain }) => chain),
  }
}

/** A gateway whose routes look at the claims of the caller's token. */
function gatewayListener(name: string): Fields {
  const answer = (status: number, groups?: string) => ({
    ...(groups && { match: [{ headers: { '@request.auth.claims[realm][groups]': { exact: groups } } }] }),
    directResponse: { status },
  })
  const object = (kind: string, spec: Fields): KubeObject => ({
    apiVersion: 'networking.istio.io/v1',
    kind,
    metadata: { namespace: 'shop', name: 'door' },
    spec,
  })
  const server = { port: { number: 9080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }
  const objects = [
    object('Gateway', { selector: { istio: 'gate' }, servers: [server] }),
    object('VirtualService', { hosts: ['*'], gateways: ['door'], http: [answer(201, 'staff'), answer(202, 'guests'), answer(204)] }),
    policyObject(VERIFIED),
  ]
  const session = openProxy(meshOf({ header: {}, objects }), { type: 'router', namespace: 'shop', name: 'gate', labels: { istio: 'gate' } })
  const decoded = (typeUrl: string, resource: string) =>
    decodeResource(typeUrl, resourcesOf(session.resources(typeUrl)).get(resource) ?? new Uint8Array()) as Fields
  const listener = decoded(TYPE_URL.LDS, '0.0.0.0_9080')
  const text = JSON.stringify(listener, (key, value: unknown) =>
    // A bootstrap has no discovery service to ask for routes.
    key === 'rds' ? undefined : isManager(value) ? { ...value, routeConfig: decoded(TYPE_URL.RDS, 'http.9080') } : value,
  )
  return { ...(JSON.parse(text) as Fields), name, address: { socketAddress: { address: '127.0.0.1', portValue: 0 } } }
}

const isManager = (value: unknown): value is Fields => typeof value === 'object' && value !== null && 'rds' in value

const policyObject = ([kind, name, spec]: Policy): KubeObject => ({
  apiVersion: 'security.istio.io/v1',
  kind,
  metadata: { namespace: 'shop', name },
  spec,
})

const cluster = (name: string, port: number): Fields => ({
  name,
  type: 'STATIC',
  connectTimeout: '1s',
  loadAssignment: {
    clusterName: name,
    endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: port } } } }] }],
  },
})

async function serve(servers: Server[], answer: RequestListener): Promise<number> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

interface Ask {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  /** Names and values in turn, so that one name may come twice. */
  readonly headers?: readonly string[]
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
}

function call(port: number, { method = 'GET', path = '/', host = 'cart', headers = [] }: Ask): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const options = { host: '127.0.0.1', port, method, path, headers: ['host', host, ...headers], agent: false, setHost: false }
  requestHttp(options, (response) => {
    response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
  })
    .on('error', reject)
    .end()
  return promise
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(claims: Fields, key: KeyObject = signer.privateKey): string {
  const text = `${part({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${part(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

function secretToken(claims: Fields): string {
  const text = `${part({ alg: 'HS256', kid: 'one' })}.${part(claims)}`
  const secret = signer.publicKey.export({ format: 'pem', type: 'spki' })
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
