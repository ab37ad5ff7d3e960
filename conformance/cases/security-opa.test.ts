/**
 * Real OPA behind CUSTOM policies, by gRPC and by HTTP: its policy gets the input of OPA's own plugin for Envoy and decides by path, method,
 * query, verified token and the caller's identity. Slow and down, it fails closed or open as the provider says.
 */
import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { documents, type Echo, echoService, podsReady } from '../harness/echo.ts'
import { CALLER, deployEcho, OTHER_CALLER } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { networking } from '../harness/objects.ts'
import { findOpa, OPA_AUTHORIZER, opaAuthorizer } from '../harness/opa.ts'
import { processesOf } from '../harness/processes.ts'

const SECRET = 'known to OPA and to the issuer'
const POLICY = `package istio.authz

import rego.v1

default allow := {"allowed": false, "http_status": 403, "body": "the policy says no", "headers": {"x-decided-by": "opa"}}

allow := {"allowed": true, "headers": {"x-decided-by": "opa"}} if permitted

allow := {"allowed": false, "http_status": 418, "body": "no coffee here"} if input.parsed_path[0] == "coffee"

request := input.attributes.request.http

permitted if {
	request.method == "GET"
	input.parsed_path == ["public", "page"]
}

# Roles and grants are data beside the policy.
permitted if {
	some role in data.roles[claims.sub]
	some grant in data.grants[role]
	grant.method == request.method
	grant.path == input.parsed_path[0]
}

permitted if {
	input.parsed_path == ["search"]
	input.parsed_query.lang == ["en"]
}

permitted if {
	input.parsed_path == ["inside"]
	input.attributes.source.principal == "spiffe://cluster.local/ns/feat/sa/default"
	endswith(input.attributes.destination.principal, "/ns/feat/sa/default")
}

claims := payload if {
	startswith(request.headers.authorization, "Bearer ")
	token := substring(request.headers.authorization, 7, -1)
	[valid, _, payload] := io.jwt.decode_verify(token, {"secret": "${SECRET}", "alg": "HS256"})
	valid
}
`
const DATA = JSON.stringify({
  roles: { ann: ['reader', 'writer'], bob: ['reader'] },
  grants: { reader: [{ method: 'GET', path: 'ledger' }], writer: [{ method: 'POST', path: 'ledger' }] },
})

const WEB = 'http://web.feat.svc.cluster.local'
const grpc = { service: `outside/${OPA_AUTHORIZER}`, port: 9191, timeout: '1s' }
const http = {
  service: OPA_AUTHORIZER,
  port: 8000,
  timeout: '1s',
  includeRequestHeadersInCheck: ['authorization'],
  headersToUpstreamOnAllow: ['x-decided-by'],
  headersToDownstreamOnDeny: ['x-decided-by'],
}
const PROVIDERS = [
  { name: 'grpc', envoyExtAuthzGrpc: grpc },
  { name: 'grpc-open', envoyExtAuthzGrpc: { ...grpc, failOpen: true } },
  { name: 'http', envoyExtAuthzHttp: http },
  { name: 'http-open', envoyExtAuthzHttp: { ...http, failOpen: true } },
]

/** Each request has a connection of its own: one that is kept goes by the policies that it began under. */
const singleUse = networking(
  'DestinationRule',
  { name: 'web', namespace: 'feat' },
  { host: 'web', trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
)

/** As an issuer makes it that shares a secret with OPA. */
function token(sub: string, secret = SECRET): string {
  const text = [{ alg: 'HS256', typ: 'JWT' }, { sub }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `Bearer ${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

interface Call {
  readonly path: string
  readonly method?: string
  readonly sub?: string
  readonly secret?: string
  readonly from?: string
}

const skipped = whySkipped()
const opa = skipped ? { missing: skipped } : await findOpa()
if ('missing' in opa) test.skip(`OPA decides: ${opa.missing}`)
else describeWithMesh('OPA decides', (mesh) => tests(mesh, opa.path))

function tests(mesh: () => Mesh, binary: string): void {
  let echo: Echo

  beforeAll(async () => {
    await addToMesh(mesh(), { extensionProviders: PROVIDERS })
    const pods = [
      { name: 'web', namespace: 'feat' },
      { name: 'caller', namespace: 'feat' },
      { name: 'caller', namespace: 'other' },
    ]
    const objects = [
      echoService({ name: 'web', namespace: 'feat' }),
      singleUse,
      opaAuthorizer(binary, { 'policy.rego': POLICY, 'data.json': DATA }),
    ]
    echo = await deployEcho(mesh(), pods, objects.join(''))
    await podsReady(mesh(), 'outside', ['opa'])
  })
  afterAll(() => echo?.close())

  const call = ({ path, method = 'GET', sub, secret, from = CALLER }: Call) =>
    echo.callOnce(from, { url: `${WEB}${path}`, method, headers: sub ? { authorization: token(sub, secret) } : {} })
  const verdict = async (what: Call) => (await call(what)).status

  /** Fulfilled once the proxy has it: a path of the provider's own is not asked about. */
  async function askedBy(provider: string): Promise<void> {
    const path = `/not-asked/${provider}`
    const rules = [{ to: [{ operation: { notPaths: [path] } }] }]
    const spec = { selector: { matchLabels: { app: 'web' } }, action: 'CUSTOM', provider: { name: provider }, rules }
    const metadata = { name: 'asked', namespace: 'feat' }
    await mesh().apply(documents({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec }))
    await eventually(async () => {
      expect(await verdict({ path })).toBe(200)
      expect((await call({ path })).echo?.headers['x-decided-by']).toBeUndefined()
    })
  }

  test.each(['grpc', 'http'])('by %s: path, method, query, data and verified tokens', async (provider) => {
    await askedBy(provider)
    await eventually(async () => expect(await verdict({ path: '/nothing' })).toBe(403))
    const expected: readonly (readonly [Call, number])[] = [
      [{ path: '/public/page' }, 200],
      [{ path: '/public/page', method: 'POST' }, 403],
      [{ path: '/public/other' }, 403],
      [{ path: '/search?lang=en' }, 200],
      [{ path: '/search?lang=de' }, 403],
      [{ path: '/search?lang=en&lang=de' }, 403],
      [{ path: '/ledger', sub: 'bob' }, 200],
      [{ path: '/ledger', method: 'POST', sub: 'bob' }, 403],
      [{ path: '/ledger', method: 'POST', sub: 'ann' }, 200],
      [{ path: '/ledger', sub: 'ann', secret: 'another' }, 403],
      [{ path: '/ledger' }, 403],
      [{ path: '/coffee' }, 418],
    ]
    const answers = await Promise.all(expected.map(([what]) => verdict(what)))
    expect(expected.map(([what], at) => [what, answers[at]])).toEqual(expected)
    const allowed = await call({ path: '/public/page' })
    expect(allowed.echo?.headers['x-decided-by']).toBe('opa')
    const denied = await call({ path: '/nothing' })
    expect(denied.body).toBe('the policy says no')
    expect(denied.headers['x-decided-by']).toBe('opa')
  })

  test('by gRPC also by who calls, as mutual TLS has proven it', async () => {
    await askedBy('grpc')
    expect(await verdict({ path: '/inside' })).toBe(200)
    expect(await verdict({ path: '/inside', from: OTHER_CALLER })).toBe(403)
  })

  test.each([
    ['grpc', 403],
    ['grpc-open', 200],
    ['http', 403],
    ['http-open', 200],
  ])('slow, by %s: nobody waits longer than the provider says, and nothing is decided', async (provider, status) => {
    await askedBy(provider)
    expect(await verdict({ path: '/coffee' })).toBe(418)
    await signalled('SIGSTOP')
    try {
      const late = await call({ path: '/public/page' })
      expect(late.status).toBe(status)
      expect(late.ms).toBeLessThan(8_000)
    } finally {
      await signalled('SIGCONT')
    }
    // A decision of OPA's own: what lets everything through says nothing of it.
    await eventually(async () => expect(await verdict({ path: '/coffee' })).toBe(418))
  })

  test('down, it fails closed or open as the provider says', async () => {
    await signalled('SIGKILL')
    for (const [provider, status] of [
      ['grpc', 403],
      ['grpc-open', 200],
      ['http', 403],
      ['http-open', 200],
    ] as const) {
      await askedBy(provider)
      // Of one that lets everything through, nothing tells that it is no longer asked but the next one's refusal.
      await eventually(async () => expect(await verdict({ path: '/public/page' }), provider).toBe(status))
    }
  })

  async function signalled(signal: NodeJS.Signals): Promise<void> {
    const found = processesOf(mesh(), { command: /^\/opa\/opa run / })
    expect(found).toHaveLength(1)
    for (const pid of found) process.kill(pid, signal)
  }
}
