import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NameInterner } from './names.ts'

test('equal sets are one object, whatever way led to them', () => {
  const name = fc.constantFrom<string>('a', 'b', 'c', 'd', 'a.b', 'outbound|80||some-long-service-name.some-namespace.svc.cluster.local')
  const step = fc.record({ added: fc.array(name), taken: fc.array(name) })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const names = new NameInterner()
      let set = names.empty
      let plain = new Set<string>()
      for (const { added, taken } of steps) {
        set = set.change(added, taken)
        plain = new Set([...plain, ...added].filter((n) => !taken.includes(n)))
        expect([...set.names].sort()).toEqual([...plain].sort())
        expect(names.intern(plain)).toBe(set)
        expect(names.empty.change([...plain].reverse())).toBe(set)
      }
    }),
  )
})
