import type { KubeObject } from '@lateen/api'
import { expect, test } from 'vitest'
import { aggregate } from './aggregate.ts'
import type { ConfigChange } from './change.ts'
import { memorySource } from './memory-source.ts'

const rule = (name: string, host: string): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name, namespace: 'shop' },
  spec: { hosts: [host] },
})
const told = (changes: readonly ConfigChange[]) =>
  changes.map(({ operation, object }) => `${operation} ${object.metadata.name} ${JSON.stringify(object.spec)}`)

test('an object that two sources have comes from the first, and from the second when the first drops it', () => {
  const [files, kube] = [memorySource('files', [rule('a', 'file')]), memorySource('kube', [rule('a', 'kube'), rule('b', 'kube')])]
  const log: string[] = []
  const all = aggregate([files, kube])
  all.start((changes) => log.push(...told(changes)))
  expect(log.splice(0)).toEqual(['set a {"hosts":["file"]}', 'set b {"hosts":["kube"]}'])
  kube.set(rule('a', 'kube 2'))
  expect(log.splice(0)).toEqual([])
  files.delete(rule('a', 'file'))
  expect(log.splice(0)).toEqual(['set a {"hosts":["kube 2"]}'])
  kube.delete(rule('a', 'kube 2'))
  expect(log.splice(0)).toEqual(['delete a {"hosts":["kube 2"]}'])
  expect([...all.objects()].map((object) => object.metadata.name)).toEqual(['b'])
})

test('it has synced when all sources have', async () => {
  const order: string[] = []
  let release: () => void = () => undefined
  const slow = { ...memorySource(), synced: new Promise<void>((resolve) => (release = resolve)) }
  const all = aggregate([memorySource(), slow])
  const synced = all.synced.then(() => order.push('synced'))
  await Promise.resolve()
  order.push('released')
  release()
  await synced
  expect(order).toEqual(['released', 'synced'])
})
