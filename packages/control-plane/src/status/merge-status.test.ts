import type { KubeObject } from '@lateen/api'
import type { WantedStatus } from '@lateen/model'
import { expect, test } from 'vitest'
import { statusChanges } from './merge-status.ts'

const NOW = new Date('2026-05-06T07:08:09.123Z')
const STAMP = '2026-05-06T07:08:09Z'
const EARLIER = '2026-01-01T00:00:00Z'

const object = (status: unknown, generation = 2): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'cart', namespace: 'shop', generation },
  status,
})
const accepted = { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'attached' } as const
const stored = { ...accepted, lastTransitionTime: EARLIER, observedGeneration: 2 }
const wanted = (more: Partial<WantedStatus>): WantedStatus => ({
  object: { kind: 'HTTPRoute', namespace: 'shop', name: 'cart' },
  generation: 2,
  ...more,
})
const OURS = 'istio.io/gateway-controller'
const parent = (name: string) => ({ parentRef: { name }, controllerName: OURS, conditions: [accepted] })

test('a status that says all of it changes nothing', () => {
  const conditions = [{ type: 'Other', status: 'False', reason: 'Other', message: '' }, stored]
  expect(statusChanges(object({ conditions }), wanted({ conditions: [accepted] }), NOW)).toBeUndefined()
  expect(statusChanges(object(undefined), wanted({ parents: [] }), NOW)).toBeUndefined()
  expect(statusChanges(object({}), wanted({ fields: { attachedListenerSets: null } }), NOW)).toBeUndefined()
})

test('a condition keeps the time of its last change for as long as its status stays', () => {
  const same = { ...accepted, message: 'attached to 2 listeners' }
  const other = { ...accepted, status: 'False', reason: 'NotAllowedByListeners' } as const
  const changed = (condition: typeof same | typeof other) =>
    statusChanges(object({ conditions: [stored] }), wanted({ conditions: [condition] }), NOW)
  expect(changed(same)).toEqual({ conditions: [{ ...same, lastTransitionTime: EARLIER, observedGeneration: 2 }] })
  expect(changed(other)).toEqual({ conditions: [{ ...other, lastTransitionTime: STAMP, observedGeneration: 2 }] })
})

test('entries of other controllers stay in their places; ours for parents that are no longer named go', () => {
  const foreign = { controllerName: 'example.com/other', parentRef: { name: 'gone' }, conditions: [] }
  const gone = { ...parent('gone'), conditions: [stored] }
  const kept = { ...parent('edge'), parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }, conditions: [stored] }
  const changes = statusChanges(object({ parents: [gone, foreign, kept] }), wanted({ parents: [parent('edge'), parent('new')] }), NOW)
  expect(changes).toEqual({
    parents: [
      foreign,
      { ...parent('edge'), conditions: [stored] },
      { ...parent('new'), conditions: [{ ...stored, lastTransitionTime: STAMP }] },
    ],
  })
})

test('what is wanted of another generation than the object has is not written', () => {
  expect(statusChanges(object({}, 3), wanted({ conditions: [accepted] }), NOW)).toBeUndefined()
})

test('fields are written as a whole, and taken away by null', () => {
  const addresses = [{ host: 'pay.example', value: '240.240.0.1' }]
  expect(statusChanges(object({ addresses: [] }), wanted({ fields: { addresses } }), NOW)).toEqual({ addresses })
  const fields = { validationMessages: null }
  expect(statusChanges(object({ validationMessages: [{}] }), wanted({ fields }), NOW)).toEqual(fields)
})
