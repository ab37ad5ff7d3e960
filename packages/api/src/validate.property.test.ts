/** Laws that hold for every object that the definitions allow, and for every other as well. */
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KINDS } from './kinds/kinds.ts'
import type { MessageNode, Node } from './schema/node.ts'
import { normalize, validate } from './validate.ts'

/** Values of the right shape, now and then in Protobuf's other spellings. */
function someValue(node: Node, depth: number): Arbitrary<unknown> {
  switch (node.kind) {
    case 'text':
      return node.format === 'duration'
        ? fc.constantFrom('0s', '1s', '250ms', '1h30m', '0.5s')
        : fc.constantFrom(
            '',
            '*',
            'a',
            'cart.shop.svc.cluster.local',
            '*.a.com',
            '10.0.0.1',
            'unix:///s',
            'x/y',
            '(',
            '__proto__',
            'a'.repeat(70),
          )
    case 'flag':
      return fc.boolean()
    case 'number':
      return node.number === 'double'
        ? fc.double({ min: -1, max: 200, noNaN: true })
        : fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 99 }).map(String))
    case 'enum':
      return fc.constantFrom(...node.values)
    case 'list':
      return fc.array(someValue(node.items, depth + 1), { maxLength: 2 })
    case 'map':
      return fc.dictionary(
        node.numericKeys ? fc.integer({ min: 0, max: 70_000 }).map(String) : fc.constantFrom('a', 'x-b', 'host', ''),
        someValue(node.values, depth + 1),
        { maxKeys: 2 },
      )
    case 'message':
      return someMessage(node, depth)
    case 'free':
      return fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 })
    case 'int-or-text':
      return fc.oneof(fc.integer(), fc.string())
  }
}

/** Few fields, and of each one-of group at most one. */
function someMessage(node: MessageNode, depth: number): Arbitrary<unknown> {
  if (depth > 12) return fc.constant({})
  return fc
    .subarray(Object.keys(node.fields), { maxLength: Math.min(Object.keys(node.fields).length, depth < 2 ? 6 : 3) })
    .chain((names) => {
      const chosen = names.filter(
        (name) => !node.oneOfs.some((group) => group.includes(name) && group.find((other) => names.includes(other)) !== name),
      )
      return fc.record(
        Object.fromEntries(chosen.flatMap((name) => (node.fields[name] ? [[name, someValue(node.fields[name].node, depth + 1)]] : []))),
      )
    })
}

const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(Object.freeze(value))) frozen(inner)
  return value
}

const SHAPE_CODES = ['LTN0101', 'LTN0102', 'LTN0103', 'LTN0104', 'LTN0105', 'LTN0107', 'LTN0108', 'LTN0109']

describe.each(KINDS)('$kind', ({ group, kind, versions, spec }) => {
  const whole = (inner: unknown) =>
    frozen({ apiVersion: `${group}/${versions[0]?.name}`, kind, metadata: { name: 'one', namespace: 'shop' }, spec: inner })

  test('an object of the defined shape has no faults of shape, and its typed form is final', () => {
    fc.assert(
      fc.property(someMessage(spec, 0), (inner) => {
        const object = whole(inner)
        expect(validate(object).filter(({ code }) => SHAPE_CODES.includes(code))).toEqual([])
        const once = normalize(object)
        expect(normalize(frozen(once))).toEqual(once)
      }),
      { numRuns: 60 },
    )
  })

  test('no value makes the check fail', () => {
    const anything = fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(spec.fields)), fc.string()), fc.jsonValue({ maxDepth: 4 }), {
      maxKeys: 5,
    })
    fc.assert(
      fc.property(anything, (inner) => {
        const object = whole(inner)
        expect(Array.isArray(validate(object))).toBe(true)
        expect(normalize(object).kind).toBe(kind)
      }),
      { numRuns: 60 },
    )
  })
})
