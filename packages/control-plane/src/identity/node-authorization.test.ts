import { expect, test } from 'vitest'
import { authorizeNode, claimedNamespaces } from './node-authorization.ts'

const node = (metadata: Record<string, unknown>, id = 'sidecar~10.0.0.7~cart-1.shop~shop.svc.cluster.local') => ({ id, metadata })
const SHOP_CART = 'spiffe://cluster.local/ns/shop/sa/cart'

test('an identity may act for nodes of its own namespace and service account', () => {
  expect(authorizeNode(node({ NAMESPACE: 'shop', SERVICE_ACCOUNT: 'cart' }), [SHOP_CART])).toMatchObject({
    namespace: 'shop',
    serviceAccount: 'cart',
  })
  expect(authorizeNode(node({}), [SHOP_CART])).toMatchObject({ namespace: 'shop' })
  expect(authorizeNode(node({ NAMESPACE: 'shop' }), ['spiffe://cluster.local/ns/other/sa/x', SHOP_CART])).toMatchObject({ uri: SHOP_CART })
})

test('a namespace claimed anywhere in the node counts: id, DNS suffix and metadata must agree with the identity', () => {
  for (const claim of [
    node({ NAMESPACE: 'bank' }),
    node({ NAMESPACE: 'shop' }, 'sidecar~10.0.0.7~cart-1.bank~shop.svc.cluster.local'),
    node({ NAMESPACE: 'shop' }, 'sidecar~10.0.0.7~cart-1.shop~bank.svc.cluster.local'),
    node({ NAMESPACE: 'shop', SERVICE_ACCOUNT: 'admin' }),
  ]) {
    expect(authorizeNode(claim, [SHOP_CART])).toHaveProperty('refused')
  }
})

test('what is no SPIFFE identity of a service account proves nothing', () => {
  for (const uri of ['spiffe://cluster.local/ns/shop', 'https://shop', ''])
    expect(authorizeNode(node({ NAMESPACE: 'shop' }), [uri])).toHaveProperty('refused')
  expect(authorizeNode(node({ NAMESPACE: 'shop' }), [])).toEqual({ refused: expect.stringContaining('proven to be nobody') })
})

test('a pod name with dots ends before its namespace', () => {
  expect(claimedNamespaces(node({}, 'router~10.0.0.7~gw.v1.2.edge~edge.svc.cluster.local'))).toEqual(['edge'])
})
