import fc from 'fast-check'
import { expect, test } from 'vitest'
import { definition } from '../schema/builtin.ts'
import { equal, isObj, type Obj } from '../values.ts'
import { applyJsonPatch } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'
import { applyStrategicPatch } from './strategic.ts'

const scalar = fc.oneof(fc.string({ maxLength: 4 }), fc.integer(), fc.boolean())
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'x/y', 'm~n'), tie('value'), { maxKeys: 3 }),
  ),
})).value
const object = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), json, { maxKeys: 4 })

test('a merge patch applied twice is the same as once', () => {
  fc.assert(
    fc.property(object, object, (target, patch) =>
      equal(applyMergePatch(applyMergePatch(target, patch), patch), applyMergePatch(target, patch)),
    ),
  )
})

test('an object merged into nothing is itself', () => {
  fc.assert(fc.property(object, (value) => equal(applyMergePatch({}, value), value)))
})

test('a merge patch never changes its target', () => {
  fc.assert(
    fc.property(object, object, (target, patch) => {
      const before = JSON.stringify(target)
      applyMergePatch(target, patch)
      return JSON.stringify(target) === before
    }),
  )
})

test('add then remove at the same place leaves an object as it was', () => {
  fc.assert(
    fc.property(object, json, (target, value) =>
      equal(
        applyJsonPatch(target, [
          { op: 'add', path: '/fresh~1key', value },
          { op: 'test', path: '/fresh~1key', value },
          { op: 'remove', path: '/fresh~1key' },
        ]),
        target,
      ),
    ),
  )
})

test('a json patch is applied whole or not at all', () => {
  const target = { list: [1, 2, 3] }
  expect(() =>
    applyJsonPatch(target, [
      { op: 'remove', path: '/list/0' },
      { op: 'remove', path: '/list/9' },
    ]),
  ).toThrow('out of bounds')
  expect(target).toEqual({ list: [1, 2, 3] })
  expect(applyJsonPatch(target, [{ op: 'move', from: '/list/0', path: '/list/-' }])).toEqual({ list: [2, 3, 1] })
  expect(
    applyJsonPatch(target, [
      { op: 'copy', from: '/list', path: '/other' },
      { op: 'replace', path: '/list', value: 0 },
    ]),
  ).toEqual({ list: 0, other: [1, 2, 3] })
})

const podSpec = definition('core.v1.PodSpec')
const names = (value: unknown) => (isObj(value) && Array.isArray(value['containers']) ? value['containers'].map((c: Obj) => c['name']) : [])

test('a strategic patch merges containers by name and follows $setElementOrder', () => {
  const target = {
    containers: [
      { name: 'a', image: 'a:1' },
      { name: 'b', image: 'b:1' },
    ],
  }
  const patched = applyStrategicPatch(podSpec, target, {
    '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }],
    containers: [
      { name: 'b', image: 'b:2' },
      { name: 'c', image: 'c:1' },
    ],
  })
  expect(names(patched)).toEqual(['c', 'b', 'a'])
  expect(patched).toMatchObject({ containers: [{ image: 'c:1' }, { image: 'b:2' }, { image: 'a:1' }] })
  expect(names(applyStrategicPatch(podSpec, target, { containers: [{ name: 'a', $patch: 'delete' }] }))).toEqual(['b'])
  expect(names(applyStrategicPatch(podSpec, target, { containers: [{ $patch: 'replace' }, { name: 'z' }] }))).toEqual(['z'])
})

test('a strategic patch changes the source of a volume with $retainKeys', () => {
  const target = { volumes: [{ name: 'v', emptyDir: {} }] }
  expect(
    applyStrategicPatch(podSpec, target, { volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] }),
  ).toEqual({ volumes: [{ name: 'v', configMap: { name: 'c' } }] })
})

test('$deleteFromPrimitiveList takes elements out', () => {
  const meta = definition('meta.v1.ObjectMeta')
  expect(applyStrategicPatch(meta, { finalizers: ['a', 'b'] }, { '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({
    finalizers: ['b'],
  })
  expect(applyStrategicPatch(meta, { finalizers: ['a'] }, { finalizers: ['c'] })).toEqual({ finalizers: ['a', 'c'] })
})
