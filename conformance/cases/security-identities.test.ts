/**
 * Who gets in: callers of every sort, right and wrong, against policies of every sort, over requests, gRPC and bytes. Each table is made
 * anew under each policy, all calls at once, and counted at the app.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, authorityOf, type Issued, newAuthority } from '../harness/authority.ts'
import { AUTHORIZER, authorizer } from '../harness/authorizer.ts'
import { type CallSpec, documents, type Echo, echoService, podsReady } from '../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, OTHER_CALLER } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { networking } from '../harness/objects.ts'
import {
  alteredToken,
  confusedToken,
  goodClaims,
  ISSUER,
  inSeconds,
  keySet,
  newSigningKey,
  selfVouchingToken,
  token,
  unsignedToken,
} from '../harness/tokens.ts'
import { expectVerdicts, type Mark, type MarkedCall, surprises, type Verdict } from '../harness/verdicts.ts'

const APP = 'feat/web'
const HOST = 'web.feat.svc.cluster.local'
const ALIAS = 'old.example'
const PROVIDER = { name: 'asked', envoyExtAuthzGrpc: { service: `outside/${AUTHORIZER}`, port: 9191, timeout: '2s' } }

type Protocol = 'h1' | 'grpc' | 'tcp'
const PROTOCOLS: readonly Protocol[] = ['h1', 'grpc', 'tcp']

/** Callers that a policy may tell apart; what is wrong with the others, no server that terminates TLS may overlook. */
const IDENTITIES = ['right', 'certificate', 'alias', 'other', 'plain'] as const
type Identity = (typeof IDENTITIES)[number]
const IMPOSTORS = [
  'nothing shown',
  'expired',
  'not yet valid',
  'foreign root',
  'signed by a workload',
  'unknown trust domain',
  'no identity',
]

type Spec = Readonly<Record<string, unknown>>

const security = (kind: string, name: string, spec: Spec, namespace = 'feat') =>
  documents({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace }, spec })
const selector = { matchLabels: { app: 'web' } }
const allow = (...rules: Spec[]) => security('AuthorizationPolicy', 'allow', { selector, rules })
const deny = (...rules: Spec[]) => security('AuthorizationPolicy', 'deny', { selector, action: 'DENY', rules })
const custom = (...rules: Spec[]) =>
  security('AuthorizationPolicy', 'custom', { selector, action: 'CUSTOM', provider: { name: PROVIDER.name }, rules })
const from = (source: Spec): Spec => ({ from: [{ source }] })
const mutual = (mode: string, more: Spec = {}) => security('PeerAuthentication', 'own', { selector, mtls: { mode }, ...more })
const RIGHT = 'cluster.local/ns/feat/sa/caller'

interface Row {
  readonly policy: string
  readonly objects: string
  /** Who is let in; all others are refused. */
  readonly served: readonly Identity[]
  /** Where the protocols differ. */
  readonly byProtocol?: Partial<Record<Protocol, readonly Identity[]>>
  /** How plain text is refused, where that is not by rule. */
  readonly plain?: Verdict
  /** Mutual TLS is not spoken: certificates are of no use, right or wrong. */
  readonly plainOnly?: boolean
}

const ALL = IDENTITIES
const OURS: readonly Identity[] = ['right', 'certificate', 'alias']
const IN_MESH: readonly Identity[] = [...OURS, 'other']
const OUTSIDERS: readonly Identity[] = ['other', 'plain']

const ROWS: readonly Row[] = [
  { policy: 'none', objects: '', served: ALL },
  { policy: 'mutual TLS strict', objects: mutual('STRICT'), served: IN_MESH, plain: 'cut off' },
  {
    policy: 'mutual TLS strict by the mesh, permissive by the workload',
    objects: security('PeerAuthentication', 'mesh', { mtls: { mode: 'STRICT' } }, 'istio-system') + mutual('PERMISSIVE'),
    served: ALL,
  },
  {
    policy: 'mutual TLS strict by the namespace, unset by the workload',
    objects: security('PeerAuthentication', 'default', { mtls: { mode: 'STRICT' } }) + mutual('UNSET'),
    served: IN_MESH,
    plain: 'cut off',
  },
  { policy: 'mutual TLS turned off', objects: mutual('DISABLE'), served: ['right', 'other', 'plain'], plainOnly: true },
  { policy: 'ALLOW an identity', objects: allow(from({ principals: [RIGHT] })), served: OURS },
  {
    policy: 'ALLOW an identity by its old trust domain',
    objects: allow(from({ principals: [`${ALIAS}/ns/feat/sa/caller`] })),
    served: OURS,
  },
  { policy: 'ALLOW a service account', objects: allow(from({ serviceAccounts: ['feat/caller'] })), served: OURS },
  { policy: 'ALLOW whoever has an identity', objects: allow(from({ principals: ['*'] })), served: IN_MESH },
  { policy: 'ALLOW a namespace', objects: allow(from({ namespaces: ['feat'] })), served: OURS },
  { policy: 'ALLOW whoever is not of a namespace', objects: allow(from({ notNamespaces: ['feat'] })), served: OUTSIDERS },
  {
    policy: 'ALLOW a trust domain by an attribute',
    objects: allow({ when: [{ key: 'source.trustDomain', values: ['cluster.local'] }] }),
    served: IN_MESH,
  },
  { policy: 'ALLOW nothing', objects: security('AuthorizationPolicy', 'allow', { selector }), served: [] },
  {
    policy: 'ALLOW nothing, by the root namespace',
    objects: security('AuthorizationPolicy', 'allow', { selector }, 'istio-system'),
    served: [],
  },
  {
    policy: 'ALLOW requests only',
    objects: allow({ to: [{ operation: { methods: ['GET', 'POST'] } }] }),
    served: ALL,
    byProtocol: { tcp: [] },
  },
  { policy: 'DENY an identity', objects: deny(from({ principals: [RIGHT] })), served: OUTSIDERS },
  { policy: 'DENY a namespace', objects: deny(from({ namespaces: ['other'] })), served: [...OURS, 'plain'] },
  { policy: 'DENY whoever has no identity', objects: deny(from({ notPrincipals: ['*'] })), served: IN_MESH },
  { policy: 'DENY requests only', objects: deny({ to: [{ operation: { methods: ['GET'] } }] }), served: [], byProtocol: { grpc: ALL } },
  {
    policy: 'AUDIT, which refuses nothing',
    objects: security('AuthorizationPolicy', 'audit', { selector, action: 'AUDIT', rules: [{}] }),
    served: ALL,
  },
  { policy: 'DENY stands above ALLOW', objects: allow({}) + deny(from({ namespaces: ['other'] })), served: [...OURS, 'plain'] },
  // The authorizer lets in connections of the service account; requests only with a header that nobody sends here.
  { policy: 'CUSTOM for bytes', objects: custom({ to: [{ operation: { ports: ['9000'] } }] }), served: ALL, byProtocol: { tcp: IN_MESH } },
  { policy: 'CUSTOM stands above ALLOW', objects: allow({}) + custom({}), served: [], byProtocol: { tcp: IN_MESH } },
]

describeWithMesh('security of workloads', (mesh) => {
  let echo: Echo
  let address = ''
  const certificates = new Map<string, Issued>()

  beforeAll(async () => {
    if (whySkipped()) return
    await addToMesh(mesh(), { extensionProviders: [PROVIDER], trustDomainAliases: [ALIAS] })
    const account = (namespace: string) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'caller', namespace } })
    echo = await deployEcho(
      mesh(),
      [
        { name: 'web', namespace: 'feat', listen: ['8080=http', '9000=tcp'] },
        { name: 'caller', namespace: 'feat', serviceAccount: 'caller' },
        { name: 'caller', namespace: 'other', serviceAccount: 'caller' },
      ],
      [
        documents(account('feat'), account('other')),
        echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], 'tcp-bytes': [9000, 9000] } }),
        echoService({
          name: 'direct',
          namespace: 'feat',
          selector: { app: 'web' },
          headless: true,
          ports: { http: [8080, 8080], 'tcp-bytes': [9000, 9000] },
        }),
        // Connections that were made under older policies are decided by those until they end.
        networking(
          'DestinationRule',
          { name: 'web', namespace: 'feat' },
          { host: 'web', trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
        ),
        authorizer({}),
      ].join(''),
    )
    await podsReady(mesh(), 'outside', ['authorizer'])
    address = await mesh().kubectl('get', 'pod', 'web', '-n', 'feat', '-o', 'jsonpath={.status.podIP}')
    for (const [name, issued] of await identities(mesh())) certificates.set(name, issued)
  })

  afterAll(() => echo?.close())

  const callOf = (caller: string, protocol: Protocol, expected: Verdict, more: Partial<CallSpec> = {}): MarkedCall => {
    const pods: Readonly<Record<string, string>> = { right: CALLER, other: OTHER_CALLER, plain: DRIVER }
    const pod = pods[caller]
    const target = pod ? byService(protocol) : byCertificate(protocol, address, certificates.get(caller))
    const spec = ({ text }: Mark): CallSpec => ({
      version: protocol,
      ...target,
      ...more,
      headers: { ...target.headers, ...more.headers },
      ...(protocol === 'tcp' ? { body: text } : { url: `${more.url ?? target.url}${text}` }),
    })
    return { name: `${caller} over ${protocol}`, from: pod ?? DRIVER, expected, spec }
  }

  const callsOf = ({ served, byProtocol = {}, plain, plainOnly }: Row): MarkedCall[] =>
    PROTOCOLS.flatMap((protocol) => {
      const letIn = byProtocol[protocol] ?? served
      const refused = protocol === 'tcp' ? 'cut off' : '403'
      return [
        ...IDENTITIES.map((identity) => {
          if (plainOnly && !certificates.has(identity)) return callOf(identity, protocol, 'served')
          if (plainOnly) return callOf(identity, protocol, 'cut off')
          return callOf(identity, protocol, letIn.includes(identity) ? 'served' : identity === 'plain' ? (plain ?? refused) : refused)
        }),
        ...IMPOSTORS.map((impostor) => callOf(impostor, protocol, 'cut off')),
      ]
    })

  /** Policies for the time of a test; afterwards everything is as without any. */
  async function under(objects: string, body: () => Promise<void>): Promise<void> {
    if (objects !== '') await mesh().apply(objects)
    try {
      await body()
    } finally {
      if (objects !== '') await mesh().tryKubectl(['delete', '--wait=false', '--ignore-not-found', '-f', '-'], { stdin: objects })
      const plain = PROTOCOLS.flatMap((protocol) => [callOf('plain', protocol, 'served'), callOf('alias', protocol, 'served')])
      await eventually(async () => expect(await surprises(echo, APP, plain)).toEqual([]))
    }
  }

  test.each(ROWS)('under $policy, every caller over every protocol gets what it should', async (row) => {
    await under(row.objects, () => expectVerdicts(echo, APP, callsOf(row)))
  })

  test('the app is told who its caller is, and no caller can say that it is another', async () => {
    const forged = { 'x-forwarded-client-cert': 'By=spiffe://cluster.local/ns/feat/sa/web;URI=spiffe://cluster.local/ns/feat/sa/admin' }
    const seenFrom = async (pod: string) => {
      const { status, echo: seen } = await echo.callOnce(pod, { url: `http://${HOST}/`, headers: forged })
      expect(status).toBe(200)
      return String(seen?.headers['x-forwarded-client-cert'] ?? '')
    }
    expect(await seenFrom(CALLER)).toMatch(
      /^By=spiffe:\/\/cluster\.local\/ns\/feat\/sa\/default;.*URI=spiffe:\/\/cluster\.local\/ns\/feat\/sa\/caller$/,
    )
    expect(await seenFrom(OTHER_CALLER)).toContain('URI=spiffe://cluster.local/ns/other/sa/caller')
    expect(await seenFrom(DRIVER)).toBe('')
  })

  test('a port has its own mode of mutual TLS, named by the port of the workload', async () => {
    const objects = mutual('STRICT', { portLevelMtls: { 8080: { mode: 'PERMISSIVE' }, 9000: { mode: 'UNSET' } } })
    await under(objects, () =>
      expectVerdicts(echo, APP, [
        callOf('plain', 'h1', 'served'),
        callOf('plain', 'tcp', 'cut off'),
        callOf('right', 'h1', 'served'),
        callOf('right', 'tcp', 'served'),
      ]),
    )
  })

  test('a rule of the caller turns mutual TLS off, and a strict server then refuses it', async () => {
    const plainRule = networking(
      'DestinationRule',
      { name: 'web', namespace: 'feat' },
      { host: 'web', trafficPolicy: { tls: { mode: 'DISABLE' }, connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
    )
    const back = networking(
      'DestinationRule',
      { name: 'web', namespace: 'feat' },
      { host: 'web', trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
    )
    await under(mutual('STRICT'), async () => {
      await mesh().apply(plainRule)
      try {
        await expectVerdicts(echo, APP, [callOf('right', 'h1', '503'), callOf('right', 'tcp', 'cut off'), callOf('alias', 'h1', 'served')])
      } finally {
        await mesh().apply(back)
      }
      await expectVerdicts(echo, APP, [callOf('right', 'h1', 'served'), callOf('right', 'tcp', 'served')])
    })
  })

  test('pods that are reached by a headless Service get mutual TLS too; those that are dialled by their address do not', async () => {
    const to = (host: string, protocol: Protocol, expected: Verdict): MarkedCall => ({
      ...callOf('right', protocol, expected, { url: protocol === 'tcp' ? `tcp://${host}:9000` : `http://${host}:8080` }),
      name: `${host} over ${protocol}`,
    })
    const calls = (dialled: Verdict) => [
      ...PROTOCOLS.map((protocol) => to('direct.feat.svc.cluster.local', protocol, 'served')),
      // Bytes to a pod's address are the headless Service's; of requests the host counts, and nobody knows that one: they go as they are.
      to(address, 'tcp', 'served'),
      to(address, 'h1', dialled),
      to(address, 'grpc', dialled),
    ]
    await expectVerdicts(echo, APP, calls('served'))
    await under(mutual('STRICT'), () => expectVerdicts(echo, APP, calls('503')))
  })

  describe('tokens', () => {
    const [known, stranger] = [newSigningKey('known'), newSigningKey('stranger')]
    const jwtRules = [
      { issuer: ISSUER, audiences: ['shop'], jwks: keySet(known), fromHeaders: [{ name: 'authorization', prefix: 'Bearer ' }] },
    ]
    const verified = security('RequestAuthentication', 'tokens', { selector, jwtRules })
    const claims = (more: Spec = {}) => goodClaims({ aud: 'shop', role: ['reader'], ...more })

    /** Tokens by what is right or wrong with them. */
    const TOKENS: Readonly<Record<string, () => string | undefined>> = {
      none: () => undefined,
      good: () => token(claims(), known),
      'of another subject': () => token(claims({ sub: 'bob' }), known),
      'without a key id': () => token(claims(), known, { kid: undefined }),
      // Clocks may differ by a minute.
      'just expired': () => token(claims({ exp: inSeconds(-10) }), known),
      'valid in a moment': () => token(claims({ nbf: inSeconds(20) }), known),
      expired: () => token(claims({ exp: inSeconds(-300) }), known),
      'not yet valid': () => token(claims({ nbf: inSeconds(300) }), known),
      'for another audience': () => token(claims({ aud: 'bank' }), known),
      'without an audience': () => token(claims({ aud: undefined }), known),
      'of another issuer': () => token(claims({ iss: 'https://other.example.com' }), known),
      'of an issuer that begins alike': () => token(claims({ iss: `${ISSUER}.evil.example` }), known),
      'by another key': () => token(claims(), { ...stranger, kid: known.kid }),
      'by an unknown key': () => token(claims(), stranger),
      'without a signature': () => unsignedToken(claims()),
      'without a signature, in capitals': () => unsignedToken(claims(), { alg: 'NoNe' }),
      'with an empty signature': () => unsignedToken(claims(), { alg: 'RS256', kid: known.kid }),
      'with a key of its own': () => selfVouchingToken(claims(), stranger),
      'with a key of its own, named as the known one': () => selfVouchingToken(claims(), { ...stranger, kid: known.kid }),
      'of an algorithm taken for another': () => confusedToken(claims(), known),
      'with claims put in': () => alteredToken(claims({ sub: 'bob' }), { sub: 'ann' }, known),
      'that is no token': () => 'not.a.token',
    }
    /** Envoy's answer to a good token that is meant for somebody else; to what is no good token it is 401. */
    const MISDIRECTED = ['for another audience', 'without an audience']

    const GOOD = ['good', 'without a key id', 'just expired', 'valid in a moment']

    const rows = [
      {
        policy: 'RequestAuthentication alone',
        objects: verified,
        served: ['none', ...GOOD, 'of another subject'],
        refused: {},
      },
      {
        policy: 'ALLOW a token’s subject',
        objects: verified + allow(from({ requestPrincipals: [`${ISSUER}/ann`] })),
        served: [...GOOD],
        refused: { none: '403', 'of another subject': '403' },
      },
      {
        policy: 'DENY whoever has no token',
        objects: verified + deny(from({ notRequestPrincipals: ['*'] })),
        served: [...GOOD, 'of another subject'],
        refused: { none: '403' },
      },
      {
        policy: 'ALLOW a claim',
        objects:
          verified +
          allow({
            when: [
              { key: 'request.auth.claims[role]', values: ['reader'] },
              { key: 'request.auth.audiences', values: ['shop'] },
            ],
          }),
        served: [...GOOD, 'of another subject'],
        refused: { none: '403' },
      },
      {
        policy: 'DENY stands above a good token',
        objects: verified + allow(from({ requestPrincipals: ['*'] })) + deny(from({ requestPrincipals: [`${ISSUER}/bob`] })),
        served: [...GOOD],
        refused: { none: '403', 'of another subject': '403' },
      },
    ] as const

    test.each(rows)('under $policy, every token gets its caller what it should', async ({ objects, served, refused }) => {
      const expectedOf = (name: string): Verdict => {
        const allowed: readonly string[] = served
        if (allowed.includes(name)) return 'served'
        const asked: Readonly<Record<string, Verdict>> = refused
        return asked[name] ?? (MISDIRECTED.includes(name) ? '403' : '401')
      }
      const calls = (['h1', 'grpc'] as const).flatMap((protocol) =>
        Object.entries(TOKENS).map(([name, make]) => {
          const made = make()
          const call = callOf(
            'right',
            protocol,
            expectedOf(name),
            made === undefined ? {} : { headers: { authorization: `Bearer ${made}` } },
          )
          return { ...call, name: `token ${name} over ${protocol}` }
        }),
      )
      await under(objects, () => expectVerdicts(echo, APP, calls))
    })

    /** What becomes of a caller with a good token, with another's and with none; a bad one gets nobody in. */
    const both = [
      {
        policy: 'ALLOW an identity with a token',
        objects: verified + allow(from({ principals: [RIGHT], requestPrincipals: [`${ISSUER}/ann`] })),
        servedTo: (identity: Identity, name: string) => OURS.includes(identity) && name === 'good',
        bytesTo: [],
      },
      {
        policy: 'ALLOW an identity, or a token',
        objects: verified + allow(from({ principals: [RIGHT] }), from({ requestPrincipals: [`${ISSUER}/ann`] })),
        servedTo: (identity: Identity, name: string) => OURS.includes(identity) || name === 'good',
        bytesTo: OURS,
      },
      {
        policy: 'DENY an identity without a token',
        objects: verified + deny(from({ principals: [RIGHT], notRequestPrincipals: ['*'] })),
        servedTo: (identity: Identity, name: string) => !OURS.includes(identity) || name !== 'none',
        bytesTo: OUTSIDERS,
      },
    ] as const

    test.each(both)('under $policy, every caller with every token gets what it should', async ({ objects, servedTo, bytesTo }) => {
      const names = [
        'none',
        'good',
        'of another subject',
        'expired',
        'for another audience',
        'of another issuer',
        'by another key',
        'without a signature',
      ]
      const bytes: readonly Identity[] = bytesTo
      const requests = (['h1', 'grpc'] as const).flatMap((protocol) =>
        IDENTITIES.flatMap((identity) =>
          names.map((name) => {
            const made = TOKENS[name]?.()
            const good = ['none', 'good', 'of another subject'].includes(name)
            const refused = good || MISDIRECTED.includes(name) ? '403' : '401'
            const headers = made === undefined ? {} : { authorization: `Bearer ${made}` }
            const call = callOf(identity, protocol, good && servedTo(identity, name) ? 'served' : refused, { headers })
            return { ...call, name: `${call.name} with token ${name}` }
          }),
        ),
      )
      const connections = IDENTITIES.map((identity) => callOf(identity, 'tcp', bytes.includes(identity) ? 'served' : 'cut off'))
      await under(objects, () => expectVerdicts(echo, APP, [...requests, ...connections]))
    })

    test('a policy that asks for a token lets no bytes in', async () => {
      await under(verified + allow(from({ requestPrincipals: ['*'] })), () =>
        expectVerdicts(echo, APP, [callOf('right', 'tcp', 'cut off'), callOf('plain', 'tcp', 'cut off')]),
      )
    })
  })
})

function byService(protocol: Protocol): CallSpec {
  return { url: protocol === 'tcp' ? `tcp://${HOST}:9000` : `http://${HOST}` }
}

/** Straight to the workload with a certificate of the test's choice, as a sidecar would speak. */
function byCertificate(protocol: Protocol, address: string, issued: Issued | undefined): CallSpec {
  const shown = issued && { cert: issued.certificate, key: issued.key }
  if (protocol === 'tcp') return { ...shown, url: `tls://${address}:9000`, alpn: ['istio'], servername: `outbound_.9000_._.${HOST}` }
  const alpn = protocol === 'h1' ? ['istio-http/1.1', 'istio', 'http/1.1'] : ['istio-h2', 'istio', 'h2']
  return { ...shown, url: `https://${address}:8080`, alpn, servername: `outbound_.80_._.${HOST}`, headers: { host: HOST } }
}

/** Certificates, by what is right or wrong with them, made with the mesh's own root and with another. */
async function identities(mesh: Mesh): Promise<ReadonlyMap<string, Issued>> {
  const root = await rootOf(mesh)
  const uri = (domain: string) => `spiffe://${domain}/ns/feat/sa/caller`
  const good = await root.issue('caller', { uri: uri('cluster.local') })
  const workload = await authorityOf(good.certificate, good.key)
  const chained = await workload.issue('caller', { uri: uri('cluster.local') })
  return new Map([
    ['certificate', good],
    ['alias', await root.issue('caller', { uri: uri(ALIAS) })],
    ['expired', await root.issue('caller', { uri: uri('cluster.local'), fromHours: -2, untilHours: -1 })],
    ['not yet valid', await root.issue('caller', { uri: uri('cluster.local'), fromHours: 1, untilHours: 2 })],
    ['foreign root', await (await newAuthority('cluster.local')).issue('caller', { uri: uri('cluster.local') })],
    ['signed by a workload', { ...chained, certificate: chained.certificate + good.certificate }],
    ['unknown trust domain', await root.issue('caller', { uri: uri('evil.example') })],
    ['no identity', await root.issue('caller.feat.svc.cluster.local')],
  ])
}

async function rootOf(mesh: Mesh): Promise<Authority> {
  const text = await mesh.kubectl('get', 'secret', 'istio-ca-secret', '-n', 'istio-system', '-o', 'json')
  const { data }: { readonly data: Readonly<Record<string, string>> } = JSON.parse(text)
  const file = (name: string) => Buffer.from(data[name] ?? '', 'base64').toString()
  return authorityOf(file('ca-cert.pem'), file('ca-key.pem'))
}
