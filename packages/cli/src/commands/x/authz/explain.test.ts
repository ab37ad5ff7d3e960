/** `x authz explain` on a shop whose payments are guarded. */
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { runShell } from '../../../shell/shell.ts'
import { TREE } from '../../tree.ts'

const root = resolve(import.meta.dirname, '../../../../../..')
const shop = join(import.meta.dirname, 'testdata/shop.yaml')
const guards = [
  '-f',
  join(import.meta.dirname, 'testdata/guards.yaml'),
  '--meshConfigFile',
  join(import.meta.dirname, 'testdata/mesh.yaml'),
]

async function explain(...argv: string[]) {
  let stdout = ''
  let stderr = ''
  const streams = { stdout: { write: (text: string) => void (stdout += text) }, stderr: { write: (text: string) => void (stderr += text) } }
  const env = { LATEEN_HOME: '/nowhere', KUBECONFIG: '/nowhere/kubeconfig' }
  const all = ['x', 'authz', 'explain', '-f', shop, '--from', 'deployment/cart.shop', ...argv]
  const code = await runShell(all, { tree: TREE, foreign: [], env, streams, signal: new AbortController().signal })
  return { code, stdout: stdout.replaceAll(`${root}/`, ''), stderr }
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const bearer = (claims: object): string => `authorization: Bearer ${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`

test('names the rule that allows, the caller’s identity, and why the other rules do not match', async () => {
  const { code, stdout } = await explain('POST', 'http://payments.shop/charges')
  expect(stdout).toContain('reaches payments.shop.svc.cluster.local')
  expect(stdout).toContain('caller: mutual TLS, as spiffe://cluster.local/ns/shop/sa/cart\n    <- PeerAuthentication shop/default')
  expect(stdout).toMatch(/ {2}DENY: allowed: no policy matches\n {4}does not match: AuthorizationPolicy shop\/no-refunds spec\.rules\[0\]/)
  expect(stdout).toMatch(/matches, decides: AuthorizationPolicy shop\/callers spec\.rules\[1\] \(\S+shop\.yaml:\d+\)\n {6}\{ from: /)
  expect(code).toBe(0)
})

test('without a rule that allows, says that none matches', async () => {
  const { stdout } = await explain('http://payments.shop/charges')
  expect(stdout).toContain('answers 403: denied: no policy matches')
  expect(stdout).not.toContain('decides')
})

test('a DENY rule decides before any other is asked', async () => {
  const { stdout } = await explain('POST', 'http://payments.shop/refunds/7')
  expect(stdout).toMatch(/ {2}DENY: denied: .*\n {4}matches, decides: AuthorizationPolicy shop\/no-refunds/)
  expect(stdout).not.toContain('ALLOW')
})

test('tokens, policies on trial and external authorizers have their place', async () => {
  const good = bearer({ iss: 'https://issuer.example.com', sub: 'ann', exp: 4e9 })
  const { stdout } = await explain(...guards, 'POST', 'http://payments.shop/charges', '-H', good)
  expect(stdout).toContain('token: token of https://issuer.example.com accepted, if its signature is good')
  expect(stdout).toMatch(/authorizer: asks outbound\|9000\|\|opa\.shop\.svc\.cluster\.local, which decides, by policy .*policy\[asked\]/)
  expect(stdout).toMatch(/DENY on trial: on trial, would be denied: .*\n {4}matches, decides: AuthorizationPolicy shop\/trial/)
  const none = await explain(...guards, 'POST', 'http://payments.shop/charges', '-H', bearer({ iss: 'https://else.example.com', exp: 4e9 }))
  expect(none.stdout).toContain('answers 401: token refused: Jwt issuer is not configured')
})

test('of a connection of bytes, rules that ask for requests are left out', async () => {
  const { stdout } = await explain('tcp://ledger.shop:9000')
  expect(stdout).toMatch(
    /ALLOW: denied: no policy matches\n[\s\S]*left out here, for it asks for what is not there: AuthorizationPolicy shop\/callers spec\.rules\[1\]/,
  )
  expect(stdout).toContain('matches, decides: AuthorizationPolicy shop/no-refunds spec.rules[0]')
})

test('a policy that means every spelling says so, and decides so', async () => {
  const spelled = ['-f', join(import.meta.dirname, 'testdata/every-spelling.yaml')]
  const { stdout } = await explain(...spelled, 'http://payments.shop/%2561dmin;x')
  expect(stdout).toMatch(/matches, decides: AuthorizationPolicy shop\/no-admin spec\.rules\[0\] \(\S+\), in every spelling\n/)
  expect(stdout).toMatch(/does not match: AuthorizationPolicy shop\/no-refunds spec\.rules\[0\] \(\S+\)\n/)
})

test('as data', async () => {
  const { stdout } = await explain('POST', 'http://payments.shop/refunds/7', '-o', 'json')
  expect(JSON.parse(stdout)).toMatchObject({
    results: ['refused at the destination: answers 403: denied: policy ns[shop]-policy[no-refunds]-rule[0]'],
    proxies: [{ proxy: 'payments.shop', steps: [{ stage: 'DENY', result: 'denied', rules: [{ matches: 'yes', decides: true }] }] }],
  })
})

test('what is missing is said', async () => {
  const { code, stderr } = await explain()
  expect(stderr).toContain('a request is missing')
  expect(code).toBe(64)
})
