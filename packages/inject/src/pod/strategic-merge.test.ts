import { expect, test } from 'vitest'
import type { Pod } from './pod.ts'
import { mergePod } from './strategic-merge.ts'

const pod = (spec: object): Pod => ({ metadata: {}, spec: { containers: [], ...spec } })

test('containers, variables and mounts merge by what names them', () => {
  const base = pod({
    containers: [
      {
        name: 'app',
        image: 'app:1',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
    ],
  })
  const merged = mergePod(base, { spec: { containers: [{ name: 'app', env: [{ name: 'B', value: '3' }] }] } })
  expect(merged.spec.containers).toEqual([
    {
      name: 'app',
      image: 'app:1',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '3' },
      ],
    },
  ])
})

test('other lists are replaced, null removes, and the base is not touched', () => {
  const base = pod({ containers: [{ name: 'app', args: ['a', 'b'], tty: true }] })
  const merged = mergePod(base, { spec: { containers: [{ name: 'app', args: ['c'], tty: null }] } })
  expect(merged.spec.containers).toEqual([{ name: 'app', args: ['c'] }])
  expect(base.spec.containers).toEqual([{ name: 'app', args: ['a', 'b'], tty: true }])
})

test('new elements come first, and those that were there stay in front of the element that they stood before', () => {
  const base = pod({ volumes: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] })
  const merged = mergePod(base, { spec: { volumes: [{ name: 'x' }, { name: 'c' }, { name: 'y' }] } })
  expect(merged.spec.volumes?.map((volume) => volume.name)).toEqual(['x', 'a', 'b', 'c', 'y'])
})

test('$patch deletes an element and replaces a map', () => {
  const base = pod({
    volumes: [
      { name: 'a', emptyDir: {} },
      { name: 'b', emptyDir: {} },
    ],
    securityContext: { runAsUser: 1, fsGroup: 2 },
  })
  const merged = mergePod(base, {
    spec: { volumes: [{ name: 'a', $patch: 'delete' }], securityContext: { $patch: 'replace', fsGroup: 3 } },
  })
  expect(merged.spec).toMatchObject({ volumes: [{ name: 'b' }] })
  expect(merged.spec['securityContext']).toEqual({ fsGroup: 3 })
})

test('a template without end is refused rather than followed', () => {
  let deep: object = {}
  for (let level = 0; level < 10_000; level++) deep = { nested: deep }
  expect(() => mergePod(pod({}), { spec: deep })).toThrow(RangeError)
})
