import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Deployment, ReplicaSet } from '../kube/workloads.ts'
import { limitsOf, nextSizes } from './rollout.ts'

const deployment = (replicas: number, maxSurge: number | string, maxUnavailable: number | string): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas, template: { spec: { containers: [] } }, strategy: { rollingUpdate: { maxSurge, maxUnavailable } } },
})
const set = (name: string, replicas: number, availableReplicas: number): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name },
  spec: { replicas, template: { spec: { containers: [] } } },
  status: { replicas, availableReplicas },
})

test.each([
  [4, '25%', '25%', 1, 1],
  [3, '25%', '25%', 1, 0],
  [10, '30%', '45%', 3, 4],
  [5, 0, 0, 0, 1],
  [1, 1, 0, 1, 0],
])('of %i replicas, surge %s and unavailable %s mean %i more and %i fewer', (replicas, surge, unavailable, more, fewer) => {
  expect(limitsOf(deployment(replicas, surge, unavailable))).toEqual({ replicas, maxSurge: more, maxUnavailable: fewer })
})

test('what never became available goes before what serves', () => {
  const limits = limitsOf(deployment(3, 1, 1))
  expect(nextSizes(limits, set('new', 2, 1), [set('stuck', 1, 0), set('old', 1, 1)])).toEqual(new Map([['stuck', 0]]))
})

test('a rollout never has too many pods, never too few available ones, and ends', () => {
  const sizes = fc.record({
    replicas: fc.integer({ min: 1, max: 12 }),
    surge: fc.integer({ min: 0, max: 4 }),
    unavailable: fc.integer({ min: 0, max: 4 }),
    slow: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(sizes, ({ replicas, surge, unavailable, slow }) => {
      const limits = limitsOf(deployment(replicas, surge, unavailable))
      let fresh = { size: 0, available: 0 }
      let old = { size: replicas, available: replicas }
      for (let step = 0; step < 200; step++) {
        const next = nextSizes(limits, set('new', fresh.size, fresh.available), [set('old', old.size, old.available)])
        const size = { fresh: next.get('new') ?? fresh.size, old: next.get('old') ?? old.size }
        fresh = { size: size.fresh, available: Math.min(size.fresh, fresh.available + slow) }
        old = { size: size.old, available: Math.min(size.old, old.available) }
        expect(fresh.size + old.size).toBeLessThanOrEqual(replicas + limits.maxSurge)
        expect(fresh.available + old.available).toBeGreaterThanOrEqual(replicas - limits.maxUnavailable)
        if (fresh.available === replicas && old.size === 0) return
      }
      throw new Error('the rollout did not end')
    }),
  )
})
