/**
 * Every field of a rule and its negation, in an ALLOW policy and in a DENY policy that have all rows of the table at once, each for paths of
 * its own; and every field of the rules for tokens, as the app sees what comes of it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CallSpec, documents, type Echo, echoService } from '../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, GATEWAY_URL, OTHER_CALLER } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { networking } from '../harness/objects.ts'
import { goodClaims, ISSUER, keySet, newSigningKey, token } from '../harness/tokens.ts'
import { expectVerdicts, type Mark, type MarkedCall, type Verdict } from '../harness/verdicts.ts'

const APP = 'feat/web'
const HOST = 'web.feat.svc.cluster.local'
const WEB = `http://${HOST}`

const SECOND_ISSUER = 'https://second.example.com'

type Fields = Readonly<Record<string, unknown>>

const key = newSigningKey('one')
const CLAIMS = {
  aud: ['shop', 'bank'],
  azp: 'web-client',
  groups: ['staff', 'buyers'],
  tier: 'gold',
  realm: { roles: ['editor'] },
  scope: 'read write',
  rights: 'read write',
}
const bearer = (claims: Fields = {}) => ({ authorization: `Bearer ${token(goodClaims({ ...CLAIMS, ...claims }), key)}` })

/** A call that a row is about; the path is below the row's own. */
interface Asked extends Partial<CallSpec> {
  readonly from?: string
  readonly below?: string
}

interface Row {
  readonly field: string
  /** What the rule asks, besides the row's paths; `own` are those, for rows about paths. */
  readonly rule: (own: string) => { readonly source?: Fields; readonly operation?: Fields; readonly when?: Fields }
  readonly yes: Asked
  readonly no: Asked
}

const source =
  (fields: Fields): Row['rule'] =>
  () => ({ source: fields })
const operation =
  (fields: Fields): Row['rule'] =>
  () => ({ operation: fields })
const when =
  (name: string, ...values: readonly string[]): Row['rule'] =>
  () => ({ when: { key: name, values } })
const unless =
  (name: string, ...notValues: readonly string[]): Row['rule'] =>
  () => ({ when: { key: name, notValues } })

/** Addresses that are known when the pods run. */
interface Addresses {
  readonly web: string
  readonly driver: string
}

function rowsOf({ web, driver }: Addresses): readonly Row[] {
  const ann = { headers: bearer() }
  const bob = { headers: bearer({ sub: 'bob' }) }
  const by = (value: string) => ({ headers: { 'x-role': value } })
  const via = (address: string) => ({ headers: { 'x-forwarded-for': address } })
  const from = (pod: string) => ({ from: pod })
  const host = (name: string) => ({ headers: { host: name } })
  return [
    { field: 'principals', rule: source({ principals: ['cluster.local/ns/feat/sa/caller'] }), yes: from(CALLER), no: from(OTHER_CALLER) },
    {
      field: 'principals, by beginning',
      rule: source({ principals: ['cluster.local/ns/feat/*'] }),
      yes: from(CALLER),
      no: from(OTHER_CALLER),
    },
    { field: 'principals, by ending', rule: source({ principals: ['*/ns/other/sa/caller'] }), yes: from(OTHER_CALLER), no: from(CALLER) },
    { field: 'principals, any', rule: source({ principals: ['*'] }), yes: from(CALLER), no: from(DRIVER) },
    {
      field: 'notPrincipals',
      rule: source({ notPrincipals: ['cluster.local/ns/feat/sa/caller'] }),
      yes: from(OTHER_CALLER),
      no: from(CALLER),
    },
    { field: 'notPrincipals, any', rule: source({ notPrincipals: ['*'] }), yes: from(DRIVER), no: from(CALLER) },
    { field: 'namespaces', rule: source({ namespaces: ['other'] }), yes: from(OTHER_CALLER), no: from(CALLER) },
    { field: 'namespaces, by beginning', rule: source({ namespaces: ['fe*'] }), yes: from(CALLER), no: from(OTHER_CALLER) },
    { field: 'namespaces, by ending', rule: source({ namespaces: ['*ther'] }), yes: from(OTHER_CALLER), no: from(CALLER) },
    { field: 'notNamespaces', rule: source({ notNamespaces: ['feat'] }), yes: from(OTHER_CALLER), no: from(CALLER) },
    { field: 'serviceAccounts', rule: source({ serviceAccounts: ['other/caller'] }), yes: from(OTHER_CALLER), no: from(CALLER) },
    {
      field: 'serviceAccounts of the own namespace',
      rule: source({ serviceAccounts: ['caller'] }),
      yes: from(CALLER),
      no: from(OTHER_CALLER),
    },
    { field: 'notServiceAccounts', rule: source({ notServiceAccounts: ['feat/caller'] }), yes: from(OTHER_CALLER), no: from(CALLER) },
    { field: 'trustDomains', rule: source({ trustDomains: ['cluster.local'] }), yes: from(CALLER), no: from(DRIVER) },
    { field: 'notTrustDomains', rule: source({ notTrustDomains: ['cluster.local'] }), yes: from(DRIVER), no: from(CALLER) },
    { field: 'ipBlocks', rule: source({ ipBlocks: [driver] }), yes: from(DRIVER), no: from(CALLER) },
    { field: 'ipBlocks, a range', rule: source({ ipBlocks: ['192.0.2.0/24', `${driver}/32`] }), yes: from(DRIVER), no: from(CALLER) },
    { field: 'notIpBlocks', rule: source({ notIpBlocks: [driver] }), yes: from(CALLER), no: from(DRIVER) },
    { field: 'remoteIpBlocks', rule: source({ remoteIpBlocks: ['203.0.113.0/24'] }), yes: via('203.0.113.7'), no: via('198.51.100.7') },
    {
      field: 'notRemoteIpBlocks',
      rule: source({ notRemoteIpBlocks: ['203.0.113.0/24'] }),
      yes: via('198.51.100.7'),
      no: via('203.0.113.7'),
    },
    { field: 'requestPrincipals', rule: source({ requestPrincipals: [`${ISSUER}/ann`] }), yes: ann, no: bob },
    { field: 'requestPrincipals, by beginning', rule: source({ requestPrincipals: [`${ISSUER}/*`] }), yes: bob, no: {} },
    { field: 'requestPrincipals, by ending', rule: source({ requestPrincipals: ['*/ann'] }), yes: ann, no: bob },
    { field: 'requestPrincipals, any', rule: source({ requestPrincipals: ['*'] }), yes: ann, no: {} },
    { field: 'notRequestPrincipals', rule: source({ notRequestPrincipals: [`${ISSUER}/ann`] }), yes: bob, no: ann },

    { field: 'hosts', rule: operation({ hosts: ['shop.example.com'] }), yes: host('shop.example.com'), no: host('bank.example.com') },
    { field: 'hosts, by beginning', rule: operation({ hosts: ['shop.*'] }), yes: host('shop.example.org'), no: host('bank.example.org') },
    { field: 'hosts, by ending', rule: operation({ hosts: ['*.example.com'] }), yes: host('any.example.com'), no: host('any.example.org') },
    { field: 'notHosts', rule: operation({ notHosts: ['shop.example.com'] }), yes: host('bank.example.com'), no: host('shop.example.com') },
    { field: 'ports', rule: operation({ ports: ['8081'] }), yes: { url: `${WEB}:81` }, no: {} },
    { field: 'notPorts', rule: operation({ notPorts: ['8081'] }), yes: {}, no: { url: `${WEB}:81` } },
    { field: 'methods', rule: operation({ methods: ['PUT'] }), yes: { method: 'PUT' }, no: { method: 'GET' } },
    { field: 'methods, by beginning', rule: operation({ methods: ['P*'] }), yes: { method: 'POST' }, no: { method: 'DELETE' } },
    { field: 'notMethods', rule: operation({ notMethods: ['GET', 'HEAD'] }), yes: { method: 'POST' }, no: { method: 'GET' } },
    { field: 'paths', rule: (own) => ({ operation: { paths: [`${own}/exact`] } }), yes: { below: '/exact' }, no: { below: '/exact/more' } },
    {
      field: 'paths, by beginning',
      rule: (own) => ({ operation: { paths: [`${own}/be*`] } }),
      yes: { below: '/begins' },
      no: { below: '/else' },
    },
    {
      field: 'paths, one segment of a template',
      rule: (own) => ({ operation: { paths: [`${own}/users/{*}/keys`] } }),
      yes: { below: '/users/ann/keys' },
      no: { below: '/users/ann/and/keys' },
    },
    {
      field: 'paths, the rest of a template',
      rule: (own) => ({ operation: { paths: [`${own}/files/{**}`] } }),
      yes: { below: '/files/a/b/c' },
      no: { below: '/others/a' },
    },
    {
      field: 'notPaths',
      rule: (own) => ({ operation: { paths: [`${own}*`], notPaths: [`${own}/health`] } }),
      yes: { below: '/data' },
      no: { below: '/health' },
    },

    { field: 'when request.headers', rule: when('request.headers[x-role]', 'admin'), yes: by('admin'), no: by('reader') },
    { field: 'when request.headers, by beginning', rule: when('request.headers[x-role]', 'adm*'), yes: by('admin'), no: by('reader') },
    { field: 'when request.headers, by ending', rule: when('request.headers[x-role]', '*min'), yes: by('admin'), no: by('reader') },
    { field: 'when request.headers, any', rule: when('request.headers[x-role]', '*'), yes: by('reader'), no: {} },
    { field: 'unless request.headers', rule: unless('request.headers[x-role]', 'admin'), yes: by('reader'), no: by('admin') },
    {
      field: 'when request.experimental.inline.headers, one of several',
      rule: when('request.experimental.inline.headers[x-role]', 'admin'),
      yes: by('reader,admin'),
      no: by('administrator,reader'),
    },
    {
      field: 'unless request.experimental.inline.headers, by beginning',
      rule: unless('request.experimental.inline.headers[x-role]', 'adm*'),
      yes: by('reader,badmin'),
      no: by('reader,admin'),
    },
    { field: 'when source.ip', rule: when('source.ip', driver), yes: from(DRIVER), no: from(CALLER) },
    { field: 'when remote.ip', rule: when('remote.ip', '203.0.113.7'), yes: via('203.0.113.7'), no: via('203.0.113.8') },
    { field: 'when source.namespace', rule: when('source.namespace', 'feat'), yes: from(CALLER), no: from(OTHER_CALLER) },
    { field: 'when source.principal', rule: when('source.principal', '*/sa/caller'), yes: from(CALLER), no: from(DRIVER) },
    { field: 'unless source.principal', rule: unless('source.principal', '*'), yes: from(DRIVER), no: from(CALLER) },
    { field: 'when request.auth.principal', rule: when('request.auth.principal', `${ISSUER}/ann`), yes: ann, no: bob },
    {
      field: 'when request.auth.audiences',
      rule: when('request.auth.audiences', 'bank'),
      yes: ann,
      no: { headers: bearer({ aud: 'shop' }) },
    },
    {
      field: 'when request.auth.presenter',
      rule: when('request.auth.presenter', 'web-client'),
      yes: ann,
      no: { headers: bearer({ azp: 'x' }) },
    },
    { field: 'when a claim', rule: when('request.auth.claims[tier]', 'gold'), yes: ann, no: { headers: bearer({ tier: 'tin' }) } },
    {
      field: 'when a claim of several values',
      rule: when('request.auth.claims[groups]', 'staff'),
      yes: ann,
      no: { headers: bearer({ groups: ['buyers'] }) },
    },
    {
      field: 'when a claim in a claim',
      rule: when('request.auth.claims[realm][roles]', 'editor'),
      yes: ann,
      no: { headers: bearer({ realm: {} }) },
    },
    {
      field: 'when a claim of words',
      rule: when('request.auth.claims[scope]', 'write'),
      yes: ann,
      no: { headers: bearer({ scope: 'read' }) },
    },
    {
      field: 'when a claim of words, as the rule for tokens says',
      rule: when('request.auth.claims[rights]', 'write'),
      yes: ann,
      no: { headers: bearer({ rights: 'rewrite' }) },
    },
    { field: 'unless a claim', rule: unless('request.auth.claims[tier]', 'gold'), yes: { headers: bearer({ tier: 'tin' }) }, no: ann },
    { field: 'when destination.ip', rule: when('destination.ip', `${web}/32`), yes: {}, no: { from: 'nobody' } },
    { field: 'unless destination.ip', rule: unless('destination.ip', '192.0.2.1'), yes: {}, no: { from: 'nobody' } },
    { field: 'when destination.port', rule: when('destination.port', '8081'), yes: { url: `${WEB}:81` }, no: {} },
    { field: 'when connection.sni', rule: when('connection.sni', `*.${HOST}`), yes: from(CALLER), no: from(DRIVER) },
  ]
}

const selector = { matchLabels: { app: 'web' } }
const security = (kind: string, name: string, spec: Fields) =>
  documents({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'feat' }, spec: { selector, ...spec } })

const own = (at: number): string => `/row-${at}`

function policy(rows: readonly Row[], action: 'ALLOW' | 'DENY'): string {
  const rules = rows.map(({ rule }, at) => {
    const { source: from, operation: to, when: condition } = rule(own(at))
    return {
      to: [{ operation: { paths: [`${own(at)}/*`], ...to } }],
      ...(from && { from: [{ source: from }] }),
      ...(condition && { when: [condition] }),
    }
  })
  return security('AuthorizationPolicy', 'table', { action, rules })
}

function callsOf(rows: readonly Row[], action: 'ALLOW' | 'DENY'): MarkedCall[] {
  const [matched, unmatched]: readonly [Verdict, Verdict] = action === 'ALLOW' ? ['served', '403'] : ['403', 'served']
  return rows.flatMap(({ field, yes, no }, at) =>
    [[yes, matched, 'matches'] as const, [no, unmatched, 'does not match'] as const].flatMap(([asked, expected, says]): MarkedCall[] => {
      const { from = DRIVER, below = '/x', url = WEB, headers, ...rest } = asked
      // Of what is true of every call there is no call of which it is not.
      if (from === 'nobody') return []
      const spec = (mark: Mark): CallSpec => ({ ...rest, url: `${url}${own(at)}${below}`, headers: { ...headers, ...mark.headers } })
      return [{ name: `${field}: ${says}`, from, expected, spec }]
    }),
  )
}

describeWithMesh('conditions of rules', (mesh) => {
  let echo: Echo
  let rows: readonly Row[] = []

  beforeAll(async () => {
    if (whySkipped()) return
    const account = (namespace: string) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'caller', namespace } })
    echo = await deployEcho(
      mesh(),
      [
        { name: 'web', namespace: 'feat', listen: ['8080=http', '8081=http'] },
        { name: 'caller', namespace: 'feat', serviceAccount: 'caller' },
        { name: 'caller', namespace: 'other', serviceAccount: 'caller' },
      ],
      [
        documents(account('feat'), account('other')),
        echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], 'http-more': [81, 8081] } }),
        networking(
          'DestinationRule',
          { name: 'web', namespace: 'feat' },
          { host: 'web', trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
        ),
        security('RequestAuthentication', 'tokens', {
          jwtRules: [{ issuer: ISSUER, jwks: keySet(key), forwardOriginalToken: true, spaceDelimitedClaims: ['rights'] }],
        }),
      ].join(''),
    )
    const address = (pod: string, namespace: string) => mesh().kubectl('get', 'pod', pod, '-n', namespace, '-o', 'jsonpath={.status.podIP}')
    rows = rowsOf({ web: await address('web', 'feat'), driver: await address('driver', 'outside') })
  })
  afterAll(() => echo?.close())

  test.each(['ALLOW', 'DENY'] as const)(
    'every field of a rule, its negation and its patterns decide as they say, in a policy that says %s',
    async (action) => {
      await mesh().apply(policy(rows, action))
      await expectVerdicts(echo, APP, callsOf(rows, action))
      await mesh().kubectl('delete', 'authorizationpolicy', 'table', '-n', 'feat')
    },
  )

  describe('rules for tokens', () => {
    const RULES = [
      { issuer: 'https://header.example.com', fromHeaders: [{ name: 'x-token', prefix: 'Token ' }], outputPayloadToHeader: 'x-payload' },
      { issuer: 'https://param.example.com', fromParams: ['access_token'], forwardOriginalToken: true },
      { issuer: 'https://cookie.example.com', fromCookies: ['session'], audiences: ['shop'] },
      {
        issuer: ISSUER,
        forwardOriginalToken: true,
        outputClaimToHeaders: [
          { header: 'x-sub', claim: 'sub' },
          { header: 'x-tier', claim: 'realm.tier' },
        ],
      },
    ].map((rule) => ({ ...rule, jwks: keySet(key) }))
    const signed = (issuer: string, more: Fields = {}) => token(goodClaims({ iss: issuer, ...more }), key)
    const call = (path: string, headers: Readonly<Record<string, string>>) => echo.callOnce(DRIVER, { url: `${WEB}${path}`, headers })

    beforeAll(async () => {
      if (whySkipped()) return
      await mesh().apply(security('RequestAuthentication', 'tokens', { jwtRules: RULES }))
      await eventually(async () => expect((await call('/', { 'x-token': 'Token nonsense' })).status).toBe(401))
    })

    test('a token is taken from a header, a parameter or a cookie, and from nowhere else', async () => {
      const [header, param, cookie] = ['https://header.example.com', 'https://param.example.com', 'https://cookie.example.com'].map(
        (issuer) => signed(issuer, { aud: 'shop' }),
      )
      expect((await call('/', { 'x-token': `Token ${header}` })).status).toBe(200)
      expect((await call(`/?access_token=${param}`, {})).status).toBe(200)
      expect((await call('/', { cookie: `a=b; session=${cookie}` })).status).toBe(200)
      expect((await call('/', { 'x-token': `Token ${param}` })).status).toBe(401)
      expect((await call(`/?access_token=${cookie}`, {})).status).toBe(401)
      expect((await call('/', { cookie: `session=${header}` })).status).toBe(401)
      expect((await call('/', { cookie: `session=${signed('https://cookie.example.com', { aud: 'bank' })}` })).status).toBe(403)
    })

    test('the app gets the token where the rule forwards it, and the payload where the rule names a header', async () => {
      const issuer = 'https://header.example.com'
      const taken = await call('/', { 'x-token': `Token ${signed(issuer)}`, 'x-payload': 'forged' })
      expect(taken.echo?.headers['x-token']).toBeUndefined()
      const payload = Buffer.from(String(taken.echo?.headers['x-payload']), 'base64url').toString()
      expect(JSON.parse(payload)).toMatchObject({ iss: issuer, sub: 'ann' })
      const param = signed('https://param.example.com')
      expect((await call(`/?access_token=${param}`, {})).echo?.path).toContain(param)
    })

    test('claims are put into headers, which callers cannot forge', async () => {
      const authorization = `Bearer ${signed(ISSUER, { realm: { tier: 'gold' } })}`
      const { echo: seen } = await call('/', { authorization, 'x-sub': 'root', 'x-tier': 'platinum' })
      expect(seen?.headers).toMatchObject({ 'x-sub': 'ann', 'x-tier': 'gold', authorization })
      const without = await call('/', { authorization: `Bearer ${signed(ISSUER)}`, 'x-tier': 'platinum' })
      expect(without.echo?.headers['x-tier']).toBeUndefined()
    })

    test('at a gateway, routes look at claims', async () => {
      const at = { apiVersion: 'security.istio.io/v1', metadata: { name: 'front', namespace: 'istio-system' } }
      const jwtRules = [{ issuer: ISSUER, jwks: keySet(key), forwardOriginalToken: true }]
      await mesh().apply(
        documents({ ...at, kind: 'RequestAuthentication', spec: { selector: { matchLabels: { istio: 'ingressgateway' } }, jwtRules } }) +
          networking(
            'VirtualService',
            { name: 'claims', namespace: 'feat' },
            {
              hosts: ['claims.example'],
              gateways: ['front'],
              http: [
                {
                  match: [{ headers: { '@request.auth.claims.groups': { exact: 'staff' } } }],
                  headers: { request: { set: { 'x-route': 'staff' } } },
                  route: [{ destination: { host: HOST, port: { number: 80 } } }],
                },
                { match: [{ uri: { prefix: '/' } }], directResponse: { status: 418 } },
              ],
            },
          ),
      )
      const ask = (headers: Readonly<Record<string, string>>) =>
        echo.callOnce(DRIVER, { url: GATEWAY_URL, headers: { host: 'claims.example', ...headers } })
      await eventually(async () => expect((await ask(bearer())).echo?.headers['x-route']).toBe('staff'))
      expect((await ask(bearer({ groups: ['buyers'] }))).status).toBe(418)
      expect((await ask({})).status).toBe(418)
      expect((await ask({ '@request.auth.claims.groups': 'staff' }).catch(() => ({ status: 418 }))).status).not.toBe(200)
    })
  })

  test('targetRefs bind policies to a Gateway of the Gateway API, and to nothing else', async () => {
    const gateway = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }
    const at = (kind: string, name: string, spec: Fields) =>
      documents({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'feat' }, spec })
    await mesh().apply(
      documents(
        {
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'Gateway',
          metadata: { name: 'edge', namespace: 'feat' },
          spec: { gatewayClassName: 'istio', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
        },
        {
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'HTTPRoute',
          metadata: { name: 'edge', namespace: 'feat' },
          spec: { parentRefs: [{ name: 'edge' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] },
        },
      ) +
        at('RequestAuthentication', 'edge', { targetRef: gateway, jwtRules: [{ issuer: ISSUER, jwks: keySet(key) }] }) +
        at('RequestAuthentication', 'edge-too', {
          targetRefs: [gateway],
          jwtRules: [{ issuer: SECOND_ISSUER, jwks: keySet(key) }],
        }) +
        at('AuthorizationPolicy', 'edge', {
          targetRefs: [gateway],
          rules: [{ from: [{ source: { requestPrincipals: ['*'] } }] }],
        }) +
        at('AuthorizationPolicy', 'elsewhere', {
          targetRef: { ...gateway, name: 'another' },
          action: 'DENY',
          rules: [{}],
        }),
    )
    const far = at('AuthorizationPolicy', 'far', { targetRefs: [{ ...gateway, namespace: 'other' }], rules: [{}] })
    const refused = await mesh().tryKubectl(['apply', '-f', '-'], { stdin: far })
    expect(refused.output).toContain('spec.targetRefs[0].namespace: Invalid value: "other": a target in another namespace is not supported')
    const ask = (headers: Readonly<Record<string, string>>) => echo.callOnce(DRIVER, { url: 'http://edge-istio.feat/', headers })
    await eventually(async () => expect((await ask({})).status).toBe(403), { withinMs: 60_000 })
    expect(await ask(bearer())).toMatchObject({ status: 200, pod: 'web' })
    expect(await ask(bearer({ iss: SECOND_ISSUER }))).toMatchObject({ status: 200, pod: 'web' })
    expect((await echo.callOnce(DRIVER, { url: WEB })).status).toBe(200)
  })
})
