import { TYPE_URL } from '@lateen/envoy'
import { expect, test } from 'vitest'
import { culpritsNamed, othersWereApplied } from './culprits.ts'

const named = (names: string[], message: string) =>
  culpritsNamed(
    names.map((name) => ({ name })),
    message,
  ).map((r) => r.name)

test('a name counts as a whole word only', () => {
  const clusters = ['outbound|80||cart.shop', 'outbound|80||cart.shop.svc', 'outbound|8080||cart.shop.svc']
  expect(named(clusters, 'Error adding/updating cluster(s) outbound|80||cart.shop.svc: bad')).toEqual(['outbound|80||cart.shop.svc'])
  expect(named(['10.0.0.1_80', '10.0.0.1_8080', '0.0.0.1_80'], 'Error adding/updating listener(s) 10.0.0.1_8080: no')).toEqual([
    '10.0.0.1_8080',
  ])
  expect(named(['80/a.example:80', 'a.example:80', 'a.example'], 'name: "80/a.example:80"')).toEqual(['80/a.example:80'])
  expect(named(['a', 'b'], 'a: one, b: two')).toEqual(['a', 'b'])
})

test('a message without names tells nothing', () => {
  expect(named(['a.b', ''], 'Proto constraint validation failed')).toEqual([])
})

test('Envoy applies the other clusters and listeners, but no other resources', () => {
  expect(othersWereApplied(TYPE_URL.CDS, 'Error adding/updating cluster(s) a: no')).toBe(true)
  expect(othersWereApplied(TYPE_URL.LDS, 'Error adding/updating listener(s) a: no')).toBe(true)
  expect(othersWereApplied(TYPE_URL.CDS, 'Proto constraint validation failed')).toBe(false)
  expect(othersWereApplied(TYPE_URL.RDS, 'Error adding/updating cluster(s) a: no')).toBe(false)
})
