import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonPatch, type PatchOperation } from './json-patch.ts'
import { isRecord } from './pod.ts'

test('a patch names what changed and nothing else', () => {
  expect(jsonPatch({ a: 1, b: { 'c/d': 1, e: [1, 2] } }, { a: 1, b: { 'c/d': 2, e: [1, 3, 4] }, f: null })).toEqual([
    { op: 'replace', path: '/b/c~1d', value: 2 },
    { op: 'replace', path: '/b/e/1', value: 3 },
    { op: 'add', path: '/b/e/-', value: 4 },
    { op: 'add', path: '/f', value: null },
  ])
})

test('a patch turns the one value into the other', () => {
  // Keys from a small set, so that the two values overlap.
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(0, 1, 'x', true, null),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c/~', 'd'), tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }))
  fc.assert(
    fc.property(fc.record({ v: tree }, { noNullPrototype: true }), fc.record({ v: tree }, { noNullPrototype: true }), (before, after) => {
      expect(jsonPatch(before, after).reduce(apply, structuredClone<unknown>(before))).toEqual(after)
    }),
  )
})

/** RFC 6902, as far as these patches use it. */
function apply(document: unknown, { op, path, value }: PatchOperation): unknown {
  const keys = path
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = keys.pop() ?? ''
  const parent = keys.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : Array.isArray(at) ? at[Number(key)] : undefined), document)
  if (Array.isArray(parent)) {
    if (op === 'remove') parent.splice(Number(last), 1)
    else if (op === 'add') parent.splice(last === '-' ? parent.length : Number(last), 0, value)
    else parent[Number(last)] = value
  } else if (isRecord(parent)) {
    if (op === 'remove') delete parent[last]
    else parent[last] = value
  }
  return document
}
