import type { KubeObject } from '@lateen/api'
import { TYPE_URL } from '@lateen/envoy'
import { newMesh, openProxy, resourcesOf } from '@lateen/testkit'
import { expect, test } from 'vitest'

const policy = (kind: string, namespace: string, name: string, spec: Record<string, unknown>): KubeObject => ({
  apiVersion: 'security.istio.io/v1',
  kind,
  metadata: { namespace, name },
  spec,
})

const TOKENS = {
  selector: { matchLabels: { app: 'till' } },
  jwtRules: [{ issuer: 'https://issuer.example.com', jwksUri: 'https://issuer.example.com/keys' }],
}
const KEYS = '{"keys":[{"kty":"oct","kid":"k","k":"c2VjcmV0IG9mIGEgdGVzdCB0aGF0IGlzIGxvbmcgZW5vdWdo"}]}'

/** A cart and a till in one namespace, a guest in another; `told` names those that got something new. */
function mesh() {
  const told: string[] = []
  const state = newMesh()
  const open = (name: string, namespace: string, ip: string) =>
    openProxy(state, { name, namespace, ip, labels: { app: name } }, () => void told.push(name))
  const sessions = {
    cart: open('cart', 'shop', '10.0.0.1'),
    till: open('till', 'shop', '10.0.0.2'),
    guest: open('guest', 'other', '10.0.0.3'),
  }
  const apply = (object: KubeObject) => {
    told.length = 0
    state.apply([{ operation: 'set', object }])
    return [...told]
  }
  const listener = (name: keyof typeof sessions) =>
    Buffer.from(resourcesOf(sessions[name].resources(TYPE_URL.LDS)).get('virtualInbound') ?? []).toString('latin1')
  return { state, told, apply, listener }
}

test('a policy touches only the workloads that it selects', () => {
  const { apply } = mesh()
  const rule = (path: string) => ({ selector: { matchLabels: { app: 'cart' } }, rules: [{ to: [{ operation: { paths: [path] } }] }] })
  expect(apply(policy('AuthorizationPolicy', 'shop', 'one', rule('/a')))).toEqual(['cart'])
  expect(apply(policy('AuthorizationPolicy', 'shop', 'one', rule('/b')))).toEqual(['cart'])
  expect(apply(policy('AuthorizationPolicy', 'shop', 'one', { ...rule('/b'), selector: { matchLabels: { app: 'till' } } }))).toEqual([
    'cart',
    'till',
  ])
  expect(apply(policy('AuthorizationPolicy', 'shop', 'all', { rules: [{}] }))).toEqual(['cart', 'till'])
  expect(apply(policy('AuthorizationPolicy', 'istio-system', 'mesh', { action: 'DENY', rules: [{}] }))).toEqual(['cart', 'till', 'guest'])
  expect(apply(policy('AuthorizationPolicy', 'istio-system', 'some', rule('/c')))).toEqual(['cart'])
})

test('a policy for a gateway is none for workloads', () => {
  const { apply } = mesh()
  const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'cart' }]
  expect(apply(policy('AuthorizationPolicy', 'shop', 'one', { targetRefs, rules: [{}] }))).toEqual([])
})

test('fetched keys go to the workloads whose tokens they verify', () => {
  const { state, apply, told, listener } = mesh()
  expect(apply(policy('RequestAuthentication', 'shop', 'tokens', TOKENS))).toEqual(['till'])
  expect(state.wantedKeySets()).toEqual([
    { id: 'https://issuer.example.com/keys', source: { uri: 'https://issuer.example.com/keys' }, timeoutMs: 5_000 },
  ])
  expect(listener('till')).toContain('"nobody"')
  told.length = 0
  state.setKeySets([['https://issuer.example.com/keys', KEYS]])
  expect(told).toEqual(['till'])
  expect(listener('till')).toContain('c2VjcmV0')
  expect(listener('till')).not.toContain('"nobody"')
  // A set without keys that could be read would make Envoy refuse the listener.
  state.setKeySets([['https://issuer.example.com/keys', '{"keys":[{"kty":"quantum"}]}']])
  expect(listener('till')).toContain('"nobody"')
  state.apply([{ operation: 'delete', object: policy('RequestAuthentication', 'shop', 'tokens', TOKENS) }])
  expect(state.wantedKeySets()).toEqual([])
  expect(listener('till')).not.toContain('"nobody"')
})
