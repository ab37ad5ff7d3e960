/** `x wait`: what it is told to wait for, and when that is reached. */
import { expect, test } from 'vitest'
import type { Answer } from '../../../cluster/istiod.ts'
import { reached, readDistribution } from './distribution.ts'
import { subjectOf } from './wait.ts'

const answer = (body: unknown): Answer => ({
  istiod: 'istiod-1',
  revision: 'default',
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const proxies = (...states: string[]) => states.map((state, index) => ({ proxy: `p${index}.shop`, state }))

test.each([
  [['virtualservice', 'hello.shop'], 'VirtualService', 'shop', 'hello'],
  [['VirtualServices/hello'], 'VirtualService', 'default', 'hello'],
  [['destination-rule', 'hello.shop'], 'DestinationRule', 'shop', 'hello'],
])('%j', (args, kind, namespace, name) => {
  expect(subjectOf({ args }, 'default')).toMatchObject({ type: { kind }, namespace, name })
})

test('a workload stands for its proxies', () => {
  expect(subjectOf({ args: ['Deployment/api.production'] }, 'default')).toEqual({ workload: 'deployment/api.production' })
  expect(subjectOf({ args: ['deploy', 'api'] }, 'shop')).toEqual({ workload: 'deploy/api.shop' })
})

test.each([
  [['bogus', 'x'], 'type bogus is not recognized'],
  [['virtualservice'], 'name the VirtualService'],
])('%j is refused', (args, says) => {
  expect(() => subjectOf({ args }, 'default')).toThrow(says)
})

test('an object is there when its generation is, and enough proxies took what follows', () => {
  const distribution = readDistribution([answer({ generation: 3, proxies: proxies('SYNCED', 'SYNCED', 'STALE', 'REJECTED') })])
  expect(reached(distribution, 3, 1)).toEqual({ present: 2, total: 4, done: false })
  expect(reached(distribution, 3, 0.5).done).toBe(true)
  expect(reached(distribution, 4, 0)).toEqual({ present: 0, total: 4, done: false })
})

test('the slowest replica counts, and one that gives no JSON has nothing', () => {
  const two = [answer({ generation: 2, proxies: proxies('SYNCED') }), answer({ generation: 1, proxies: proxies('SYNCED') })]
  expect(readDistribution(two)).toMatchObject({ generation: 1, proxies: { length: 2 } })
  expect(readDistribution([answer('404 page'), ...two]).generation).toBe(0)
  expect(reached(readDistribution([answer({ generation: 1, proxies: [] })]), 1, 1)).toEqual({ present: 0, total: 0, done: true })
})
