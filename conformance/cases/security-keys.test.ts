/**
 * Servers that decisions depend on, behaving badly: an issuer's key server that is slow, huge, wrong, elsewhere or gone, and an external
 * authorizer that takes its time. What was known stays known, what was not lets nobody in.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUTHORIZER, authorizer } from '../harness/authorizer.ts'
import { documents, type Echo, echoService, podsReady } from '../harness/echo.ts'
import { DRIVER, deployEcho } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { goodClaims, ISSUER, keySet, newSigningKey, type SigningKey, token } from '../harness/tokens.ts'

const WEB = 'http://web.feat.svc.cluster.local'
const KEY_SERVER = `http://${AUTHORIZER}:8000/keys`
const OTHER_ISSUER = 'https://never.example.com'

const grpc = { service: `outside/${AUTHORIZER}`, port: 9191, timeout: '0.5s' }
const http = { service: AUTHORIZER, port: 8000, timeout: '0.5s', includeRequestHeadersInCheck: ['x-user'] }
const PROVIDERS = [
  { name: 'grpc-closed', envoyExtAuthzGrpc: { ...grpc, statusOnError: '503' } },
  { name: 'grpc-open', envoyExtAuthzGrpc: { ...grpc, failOpen: true } },
  { name: 'http-closed', envoyExtAuthzHttp: http },
  { name: 'http-open', envoyExtAuthzHttp: { ...http, failOpen: true } },
]

const selector = { matchLabels: { app: 'web' } }
const security = (kind: string, name: string, spec: object) =>
  documents({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'feat' }, spec: { selector, ...spec } })

const old = newSigningKey('old')
const next = newSigningKey('next')

describeWithMesh('servers that security depends on', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    await addToMesh(mesh(), { extensionProviders: PROVIDERS })
    await mesh().kubectl('set', 'env', 'deployment/istiod', '-n', 'istio-system', 'PILOT_JWT_PUB_KEY_REFRESH_INTERVAL=500ms')
    echo = await deployEcho(
      mesh(),
      [{ name: 'web', namespace: 'feat' }],
      echoService({ name: 'web', namespace: 'feat' }) +
        authorizer({ KEYS: keySet(old), KEYS_BOTH: keySet(old, next), KEYS_NEXT: keySet(next) }),
    )
    await podsReady(mesh(), 'outside', ['authorizer'])
    await mesh().rolledOut('istiod', 'istio-system')
    await mesh().apply(security('RequestAuthentication', 'tokens', { jwtRules: [{ issuer: ISSUER, jwksUri: KEY_SERVER, timeout: '1s' }] }))
    await eventually(async () => expect(await verdict(old)).toBe(200))
    expect(await verdict(next)).toBe(401)
  })
  afterAll(() => echo?.close())

  async function verdict(key: SigningKey, claims: Readonly<Record<string, unknown>> = {}): Promise<number> {
    const headers = { authorization: `Bearer ${token(goodClaims(claims), key)}` }
    return (await echo.callOnce(DRIVER, { url: WEB, headers })).status
  }

  /** What the key server is told, or says. */
  const keyServer = async (path: string): Promise<string> => (await echo.callOnce(DRIVER, { url: `${KEY_SERVER}/${path}` })).body

  /** Tells the key server how to behave, and waits until it was asked so. */
  async function behaves(as: string, times = 1): Promise<void> {
    await keyServer(`set?${as}`)
    await eventually(async () => expect(Number(await keyServer('asked'))).toBeGreaterThanOrEqual(times), { withinMs: 40_000 })
  }

  /** A change that the proxy is seen to have taken: what the control plane knows now is what it has. */
  async function configured(): Promise<void> {
    const path = `/denied-${Date.now()}`
    await mesh().apply(security('AuthorizationPolicy', 'canary', { action: 'DENY', rules: [{ to: [{ operation: { paths: [path] } }] }] }))
    await eventually(async () => expect((await echo.callOnce(DRIVER, { url: `${WEB}${path}` })).status).toBe(403))
  }

  test.each(['silent', 'trickling', 'huge', 'deep', 'rubbish', 'failing', 'to-loopback', 'to-link-local', 'to-itself'])(
    'a key server that is %s changes nothing: known keys stay, others stay unknown',
    async (behaviour) => {
      await behaves(behaviour)
      expect(await verdict(old)).toBe(200)
      expect(await verdict(next)).toBe(401)
      await behaves('good')
    },
  )

  test('keys are changed by their server, without a token refused meanwhile', async () => {
    await keyServer('set?both')
    await eventually(async () => {
      expect(await verdict(old)).toBe(200)
      expect(await verdict(next)).toBe(200)
    })
    await keyServer('set?next')
    await eventually(async () => {
      expect(await verdict(next)).toBe(200)
      expect(await verdict(old)).toBe(401)
    })
    await keyServer('set?good')
    await eventually(async () => expect(await verdict(old)).toBe(200))
  })

  test('tokens of an issuer whose keys were never had are refused, and requests without a token are not', async () => {
    const jwtRules = [{ issuer: OTHER_ISSUER, jwksUri: `http://${AUTHORIZER}:9999/keys` }]
    await mesh().apply(security('RequestAuthentication', 'never', { jwtRules }))
    await configured()
    expect(await verdict(old, { iss: OTHER_ISSUER })).toBe(401)
    expect(await verdict(old)).toBe(200)
    expect((await echo.callOnce(DRIVER, { url: WEB })).status).toBe(200)
    await mesh().kubectl('delete', 'requestauthentication', 'never', '-n', 'feat')
  })

  test('known keys outlive the control plane, while their server is gone', async () => {
    await keyServer('set?silent')
    await mesh().kubectl('rollout', 'restart', 'deployment/istiod', '-n', 'istio-system')
    await mesh().rolledOut('istiod', 'istio-system')
    await configured()
    expect(await verdict(old)).toBe(200)
    expect(await verdict(next)).toBe(401)
    await keyServer('set?good')
  })

  test.each([
    ['grpc-closed', 503],
    ['grpc-open', 200],
    ['http-closed', 403],
    ['http-open', 200],
  ])('an authorizer that takes longer than %s waits lets nobody wait longer, and decides nothing', async (provider, expected) => {
    await mesh().apply(security('AuthorizationPolicy', 'asked', { action: 'CUSTOM', provider: { name: provider }, rules: [{}] }))
    try {
      const callBy = (user: string) => echo.callOnce(DRIVER, { url: WEB, headers: { 'x-user': user } })
      await eventually(async () => expect((await callBy('bob')).status).toBe(403))
      expect((await callBy('ann')).status).toBe(200)
      const late = await callBy('late')
      expect(late.status).toBe(expected)
      // Its own time is ten seconds.
      expect(late.ms).toBeLessThan(8_000)
    } finally {
      await mesh().kubectl('delete', 'authorizationpolicy', 'asked', '-n', 'feat')
    }
  })
})
