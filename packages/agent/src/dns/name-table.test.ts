import { create, toBinary } from '@bufbuild/protobuf'
import { NameTableSchema } from '@lateen/envoy/gen/istio/networking/nds/v1/nds_pb.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildNameTable, decodeNameTable, type NameInfo } from './name-table.ts'

const scope = {
  namespace: 'shop',
  dnsDomain: 'shop.svc.cluster.local',
  search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
}
const info = (ips: string[], more: Partial<NameInfo> = {}): NameInfo => ({
  ips,
  registry: '',
  shortname: '',
  namespace: '',
  altHosts: [],
  ...more,
})
const service = (name: string, namespace: string, ips: string[]): [string, NameInfo] => [
  `${name}.${namespace}.svc.cluster.local`,
  info(ips, { registry: 'Kubernetes', shortname: name, namespace }),
]
const table = (...entries: [string, NameInfo][]) => buildNameTable(new Map(entries), scope)

test('a service of the own namespace is found by each of its names, in any case and with a dot at the end', () => {
  const names = table(service('cart', 'shop', ['10.0.0.1']))
  for (const name of ['cart', 'cart.shop', 'cart.shop.svc', 'cart.shop.svc.cluster.local', 'CART.Shop.', 'cart.shop.svc.cluster.LOCAL.']) {
    expect(names.lookup(name), name).toMatchObject({ v4: ['10.0.0.1'], v6: [] })
  }
  expect(names.lookup('cart.other')).toBeUndefined()
})

test('a service of another namespace is not found by its bare name', () => {
  const names = table(service('cart', 'other', ['10.0.0.1']))
  expect(names.lookup('cart')).toBeUndefined()
  expect(names.lookup('cart.other')).toMatchObject({ v4: ['10.0.0.1'] })
})

test('a name that a resolver has put the first search domain behind is answered with the name that was meant', () => {
  const names = table(['api.example.com', info(['192.0.2.1', '2001:db8::1'])], ['*.wild.example', info(['192.0.2.2'])])
  expect(names.lookup('api.example.com.shop.svc.cluster.local')).toEqual({
    v4: ['192.0.2.1'],
    v6: ['2001:db8::1'],
    canonical: 'api.example.com',
  })
  expect(names.lookup('a.b.wild.example.shop.svc.cluster.local.')).toEqual({ v4: ['192.0.2.2'], v6: [], canonical: 'a.b.wild.example' })
  expect(names.lookup('api.example.com.other.svc.cluster.local')).toBeUndefined()
})

test('the full name of one service is not hidden by the short name of another', () => {
  const names = table(service('cart', 'shop', ['10.0.0.1']), ['cart.shop', info(['10.0.0.9'])])
  expect(names.lookup('cart.shop')).toMatchObject({ v4: ['10.0.0.9'] })
})

test('names listed by the control plane replace the short forms', () => {
  const [host, base] = service('cart', 'shop', ['10.0.0.1'])
  const names = table([host, { ...base, altHosts: ['basket', 'basket.shop.'] }])
  expect(names.lookup('basket')).toMatchObject({ v4: ['10.0.0.1'] })
  expect(names.lookup('basket.shop')).toBeDefined()
  expect(names.lookup('cart.shop')).toBeUndefined()
})

const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const host = fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => labels.join('.'))
const ip = fc.oneof(fc.ipV4(), fc.constant('2001:db8::7'))
const hosts = fc.dictionary(host, fc.array(ip, { minLength: 1, maxLength: 4 }), { maxKeys: 20, noNullPrototype: true })

test('law: the encoded table is read as it was, and each of its names is found with its own addresses', () => {
  fc.assert(
    fc.property(hosts, (given) => {
      const message = create(NameTableSchema, {
        table: Object.fromEntries(Object.entries(given).map(([name, ips]) => [name, { ips, registry: 'External' }])),
      })
      const names = buildNameTable(decodeNameTable(Buffer.from(toBinary(NameTableSchema, message))), scope)
      for (const [name, ips] of Object.entries(given)) {
        const found = names.lookup(name.toUpperCase())
        expect(found).toEqual({ v4: ips.filter((i) => !i.includes(':')), v6: ips.filter((i) => i.includes(':')) })
      }
    }),
  )
})

test('law: of several wildcards the closest answers, and an exact name before any', () => {
  fc.assert(
    fc.property(fc.uniqueArray(label, { minLength: 3, maxLength: 6 }), fc.integer({ min: 1, max: 5 }), (labels, cut) => {
      const name = labels.join('.')
      const near = `*.${labels.slice(1).join('.')}`
      const far = `*.${labels.slice(Math.min(cut, labels.length - 1)).join('.')}`
      const wild = table([far, info(['10.0.0.2'])], [near, info(['10.0.0.1'])])
      expect(wild.lookup(name)?.v4).toEqual(['10.0.0.1'])
      expect(table([near, info(['10.0.0.1'])], [name, info(['10.0.0.3'])]).lookup(name)?.v4).toEqual(['10.0.0.3'])
      // A wildcard does not stand for the name under which it hangs.
      expect(table([near, info(['10.0.0.1'])]).lookup(labels.slice(1).join('.'))).toBeUndefined()
    }),
  )
})

test('law: what is in no table is not answered', () => {
  fc.assert(
    fc.property(hosts, host, (given, asked) => {
      const names = buildNameTable(new Map(Object.entries(given).map(([name, ips]) => [name, info(ips)])), { ...scope, search: [] })
      expect(names.lookup(asked) !== undefined).toBe(asked in given)
    }),
  )
})
