/** Who may call what, between real sidecars: identities, tokens, rules, external authorizers, rules on trial. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUTHORIZER, authorizer } from '../../harness/authorizer.ts'
import { type CallSpec, documents, type Echo, echoService, podsReady } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, OTHER_CALLER } from '../../harness/echo-mesh.ts'
import { askEnvoy } from '../../harness/envoy-admin.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { addToMesh } from '../../harness/mesh-config.ts'
import { networking } from '../../harness/objects.ts'
import { ISSUER, keySet, newSigningKey, token, unsignedToken } from '../../harness/tokens.ts'

const WEB = 'http://web.feat.svc.cluster.local'
const BYTES = 'tcp://web.feat.svc.cluster.local:9000'

const signer = newSigningKey('one')
const stranger = newSigningKey('one')

const PROVIDERS = [
  {
    name: 'by-http',
    envoyExtAuthzHttp: {
      service: AUTHORIZER,
      port: 8000,
      timeout: '2s',
      pathPrefix: '/check',
      includeRequestHeadersInCheck: ['x-user'],
      headersToUpstreamOnAllow: ['x-checked'],
      headersToDownstreamOnDeny: ['x-reason'],
    },
  },
  { name: 'by-grpc', envoyExtAuthzGrpc: { service: `outside/${AUTHORIZER}`, port: 9191, timeout: '2s' } },
  { name: 'closed', envoyExtAuthzGrpc: { service: AUTHORIZER, port: 9999, timeout: '1s', statusOnError: '503' } },
  { name: 'open', envoyExtAuthzGrpc: { service: AUTHORIZER, port: 9999, timeout: '1s', failOpen: true } },
]

type Spec = Readonly<Record<string, unknown>>

const NO_ADMIN: Spec = { action: 'DENY', rules: [{ to: [{ operation: { paths: ['/admin*'] } }] }] }

const security = (kind: string, name: string, spec: Spec, annotations: Readonly<Record<string, string>> = {}) =>
  documents({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'feat', annotations }, spec })
const selector = { matchLabels: { app: 'web' } }
const policy = (name: string, spec: Spec) => security('AuthorizationPolicy', name, { selector, ...spec })

describeWithMesh('authorization', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    await addToMesh(mesh(), { extensionProviders: PROVIDERS })
    const account = (namespace: string) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'caller', namespace } })
    const pods = [
      { name: 'web', namespace: 'feat', listen: ['8080=http', '9000=tcp'] },
      { name: 'caller', namespace: 'feat', serviceAccount: 'caller' },
      { name: 'caller', namespace: 'other', serviceAccount: 'caller' },
    ]
    echo = await deployEcho(
      mesh(),
      pods,
      [
        documents(account('feat'), account('other')),
        echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], 'tcp-bytes': [9000, 9000] } }),
        // Connections that were made under older policies are decided by those until they end.
        networking(
          'DestinationRule',
          { name: 'web', namespace: 'feat' },
          { host: 'web', trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
        ),
        authorizer({ KEYS: keySet(signer) }),
      ].join(''),
    )
    await podsReady(mesh(), 'outside', ['authorizer'])
    for (const from of [CALLER, OTHER_CALLER, DRIVER]) await eventually(async () => expect(await verdict(from, 'h1')).toBe('served'))
  })

  afterAll(async () => {
    await echo?.close()
  })

  /** What comes of a call: served, refused by rule, or nothing at all. */
  async function verdict(from: string, protocol: 'h1' | 'grpc' | 'tcp', more: Partial<CallSpec> = {}): Promise<string> {
    const url = protocol === 'tcp' ? BYTES : WEB
    const answer = await echo.callOnce(from, { url, version: protocol, body: 'hello', newConnections: true, timeoutMs: 4_000, ...more })
    if (protocol === 'tcp') return answer.body.includes('web') ? 'served' : 'cut off'
    if (answer.grpcStatus === 7) return '403'
    if (answer.status === 0) return 'cut off'
    return answer.pod === 'web' ? 'served' : String(answer.status)
  }

  /** Policies for the time of a test. */
  async function under(policies: string, body: () => Promise<void>): Promise<void> {
    await mesh().apply(policies)
    try {
      await body()
    } finally {
      await mesh().tryKubectl(['delete', '--ignore-not-found', '-f', '-'], { stdin: policies })
      await eventually(async () => expect(await verdict(DRIVER, 'h1')).toBe('served'))
    }
  }

  const soon = (expected: string, from: string, protocol: 'h1' | 'grpc' | 'tcp' = 'h1', more: Partial<CallSpec> = {}) =>
    eventually(async () => expect(await verdict(from, protocol, more)).toBe(expected))

  describe.each(['h1', 'grpc', 'tcp'] as const)('by identity, over %s', (protocol) => {
    const refused = protocol === 'tcp' ? 'cut off' : '403'

    test('the named service account is served; another namespace and plain text are not', async () => {
      const rules = [{ from: [{ source: { principals: ['cluster.local/ns/feat/sa/caller'] } }] }]
      await under(policy('named', { rules }), async () => {
        await soon(refused, DRIVER, protocol)
        expect(await verdict(OTHER_CALLER, protocol)).toBe(refused)
        expect(await verdict(CALLER, protocol)).toBe('served')
      })
    })

    test('a namespace is denied', async () => {
      const rules = [{ from: [{ source: { namespaces: ['other'] } }] }]
      await under(policy('denied', { action: 'DENY', rules }), async () => {
        await soon(refused, OTHER_CALLER, protocol)
        expect(await verdict(CALLER, protocol)).toBe('served')
        expect(await verdict(DRIVER, protocol)).toBe('served')
      })
    })
  })

  test('a policy without rules allows nothing, and the log says whose it is', async () => {
    await under(policy('nothing', {}), async () => {
      await soon('403', CALLER)
      expect(await verdict(CALLER, 'tcp')).toBe('cut off')
    })
    await under(policy('no-admin', NO_ADMIN), async () => {
      await soon('403', CALLER, 'h1', { url: `${WEB}/admin` })
      expect(await verdict(CALLER, 'h1')).toBe('served')
      await eventually(async () => {
        const lines = await mesh().kubectl('logs', 'web', '-n', 'feat', '-c', 'istio-proxy', '--tail', '100')
        expect(lines).toContain('rbac_access_denied_matched_policy[ns[feat]-policy[no-admin]-rule[0]]')
      })
    })
  })

  test('tokens are verified with keys that the control plane fetched, and rules look at them', async () => {
    const jwtRules = [{ issuer: ISSUER, jwksUri: `http://${AUTHORIZER}:8000/keys` }]
    const rules = [{ from: [{ source: { requestPrincipals: [`${ISSUER}/ann`] } }] }]
    await under(`${security('RequestAuthentication', 'tokens', { selector, jwtRules })}${policy('ann', { rules })}`, async () => {
      const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } })
      const now = Math.floor(Date.now() / 1000)
      const claims = { iss: ISSUER, sub: 'ann', exp: now + 600 }
      await soon('403', CALLER)
      await soon('served', CALLER, 'h1', bearer(token(claims, signer)))
      expect(await verdict(CALLER, 'h1', bearer(token({ ...claims, sub: 'bob' }, signer)))).toBe('403')
      expect(await verdict(CALLER, 'h1', bearer(token({ ...claims, exp: now - 600 }, signer)))).toBe('401')
      expect(await verdict(CALLER, 'h1', bearer(token({ ...claims, iss: 'https://other.example.com' }, signer)))).toBe('401')
      expect(await verdict(CALLER, 'h1', bearer(token(claims, stranger)))).toBe('401')
      expect(await verdict(CALLER, 'h1', bearer(unsignedToken(claims)))).toBe('401')
    })
  })

  test.each(['by-http', 'by-grpc'])('an external authorizer decides, %s', async (provider) => {
    const rules = [{ to: [{ operation: { paths: ['/pay*'] } }] }]
    await under(policy('asked', { action: 'CUSTOM', provider: { name: provider }, rules }), async () => {
      await soon('403', CALLER, 'h1', { url: `${WEB}/pay` })
      const refused = await echo.callOnce(CALLER, { url: `${WEB}/pay`, headers: { 'x-user': 'bob' } })
      expect(refused.headers['x-reason']).toBe('not ann')
      const served = await echo.callOnce(CALLER, { url: `${WEB}/pay`, headers: { 'x-user': 'ann' } })
      expect(served.echo?.headers['x-checked']).toBe(provider === 'by-http' ? 'http /check/pay' : 'grpc /pay')
      expect(await verdict(CALLER, 'h1')).toBe('served')
    })
  })

  test('connections are asked for over gRPC', async () => {
    const rules = [{ to: [{ operation: { ports: ['9000'] } }] }]
    await under(policy('asked', { action: 'CUSTOM', provider: { name: 'by-grpc' }, rules }), async () => {
      await soon('cut off', DRIVER, 'tcp')
      expect(await verdict(CALLER, 'tcp')).toBe('served')
    })
  })

  test('an authorizer that is away refuses or lets pass, as its provider says', async () => {
    const rules = [{}]
    await under(policy('asked', { action: 'CUSTOM', provider: { name: 'closed' }, rules }), () => soon('503', CALLER))
    // The second policy tells when both are in force.
    const both = policy('asked', { action: 'CUSTOM', provider: { name: 'open' }, rules }) + policy('no-admin', NO_ADMIN)
    await under(both, async () => {
      await soon('403', CALLER, 'h1', { url: `${WEB}/admin` })
      expect(await verdict(CALLER, 'h1')).toBe('served')
    })
  })

  test('a policy on trial counts what it would refuse and refuses nothing', async () => {
    const rules = [{ from: [{ source: { namespaces: ['nobody'] } }] }]
    const onTrial = security('AuthorizationPolicy', 'trial', { selector, rules }, { 'istio.io/dry-run': 'true' })
    await under(onTrial, () =>
      eventually(async () => {
        const count = await statistic(mesh(), 'rbac.istio_dry_run_allow_.shadow_denied', async () =>
          expect(await verdict(CALLER, 'h1')).toBe('served'),
        )
        expect(count).toBeGreaterThan(0)
      }),
    )
  })
})

/** The sum of the server's counters whose names end so, after something was done. */
async function statistic(mesh: Mesh, suffix: string, act: () => Promise<unknown>): Promise<number> {
  await act()
  const text = await askEnvoy(mesh, 'web', 'stats')
  const counts = text.split('\n').flatMap((line) => {
    const [name = '', value = ''] = line.split(': ')
    return name.endsWith(suffix) ? [Number(value)] : []
  })
  return counts.reduce((sum, count) => sum + count, 0)
}
