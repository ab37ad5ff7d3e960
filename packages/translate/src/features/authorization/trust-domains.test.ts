import { expect, test } from 'vitest'
import { allNames, withAliases } from './trust-domains.ts'

const DOMAINS = ['new.example.org', 'old.example.org']

test.each([
  [
    'a name of the mesh means all of them',
    'old.example.org/ns/shop/sa/cart',
    ['new.example.org/ns/shop/sa/cart', 'old.example.org/ns/shop/sa/cart'],
  ],
  ['cluster.local means the mesh', 'cluster.local/ns/shop/sa/cart', ['new.example.org/ns/shop/sa/cart', 'old.example.org/ns/shop/sa/cart']],
  ['a foreign one is itself', 'partner.org/ns/shop/sa/cart', ['partner.org/ns/shop/sa/cart']],
  ['any stays any', '*/ns/shop/sa/cart', ['*/ns/shop/sa/cart']],
  ['a pattern over all names stays', '*.example.org/ns/shop/sa/cart', ['*.example.org/ns/shop/sa/cart']],
  [
    'a pattern over one name is joined by the other',
    '*old.example.org/ns/shop/sa/cart',
    ['new.example.org/ns/shop/sa/cart', '*old.example.org/ns/shop/sa/cart'],
  ],
  ['what is no identity stays', 'sa/cart', ['sa/cart']],
  ['a star alone stays', '*', ['*']],
])('%s', (_, principal, expected) => {
  expect(withAliases([principal], DOMAINS)).toEqual(expected)
})

test('a trust domain of the mesh stands for all of its names, once', () => {
  expect(allNames(['old.example.org', 'new.example.org', 'partner.org', 'part*'], DOMAINS)).toEqual([...DOMAINS, 'partner.org', 'part*'])
})
