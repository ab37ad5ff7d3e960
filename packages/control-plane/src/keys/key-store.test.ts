import { RESOURCE_TYPES } from '@lateen/api'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { createKeyStore, KEY_MAP } from './key-store.ts'

const { ConfigMap } = RESOURCE_TYPES
let cluster: TestCluster
let namespace = ''
let made = 0

beforeAll(async () => {
  cluster = await startTestCluster()
}, 60_000)
afterAll(() => cluster.close(), 60_000)
beforeEach(async () => {
  namespace = `keys-${made++}`
  await cluster.createNamespace(namespace)
})

const store = () => createKeyStore(cluster.client, namespace)
const loaded = async () => Object.fromEntries(await store().load())

test('what one process keeps the next one finds', async () => {
  expect(await loaded()).toEqual({})
  const first = store()
  first.keep('https://a.example/keys', '{"keys":[1]}')
  first.keep('https://b.example/keys', '{"keys":[2]}')
  await first.stop()
  expect(await loaded()).toEqual({ 'https://a.example/keys': '{"keys":[1]}', 'https://b.example/keys': '{"keys":[2]}' })
})

test('what is forgotten, or wanted no longer, is gone; entries of another replica stay', async () => {
  const [one, two] = [store(), store()]
  one.keep('a', '1')
  one.keep('b', '2')
  await one.stop()
  two.keep('c', '3')
  await two.stop()
  const third = store()
  await third.load()
  third.keep('a', undefined)
  await third.stop()
  expect(await loaded()).toEqual({ b: '2', c: '3' })
  const fourth = store()
  await fourth.load()
  fourth.keepOnly(new Set(['c']))
  await fourth.stop()
  expect(await loaded()).toEqual({ c: '3' })
})

test('more than a ConfigMap holds is not kept; what fits is', async () => {
  const full = store()
  full.keep('large', 'x'.repeat(850_000))
  full.keep('too large', 'x'.repeat(100_000))
  full.keep('small', 'x')
  await full.stop()
  expect(Object.keys(await loaded())).toEqual(['large', 'small'])
})

test('entries that are nobody’s keys are passed over', async () => {
  const data = { a: 'no JSON', b: '{"id":"b"}', c: '{"id":"under another name","keys":"{}"}', d: 'null', e: '[]' }
  await cluster.client.create(ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: KEY_MAP, namespace }, data })
  expect(await loaded()).toEqual({})
})

test('two processes that begin at once both have their keys kept', async () => {
  const stores = ['a', 'b', 'c', 'd'].map((id) => {
    const own = store()
    own.keep(id, id)
    return own
  })
  await Promise.all(stores.map((own) => own.stop()))
  expect(Object.keys(await loaded()).sort()).toEqual(['a', 'b', 'c', 'd'])
})
