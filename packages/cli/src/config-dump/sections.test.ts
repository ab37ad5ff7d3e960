/** Dumps that are read part by part: the same as parsing them at once, and all that is whole of a damaged one. */
import { describe, expect, test } from 'vitest'
import { readConfigDump } from './dump.ts'
import { objectIn, sectionsOf } from './sections.ts'

const CONFIGS = [
  { '@type': 'type.googleapis.com/envoy.admin.v3.BootstrapConfigDump', bootstrap: { node: { id: 'a "b" \\ }]' } }, last_updated: 'now' },
  {
    '@type': 'a.B',
    list: [],
    numbers: [1, 2.5e3, -1],
    words: [true, null],
    text: ['[', '{"', '\\'],
    nested: [{ a: [[{}]] }],
    one: 1,
    none: null,
  },
  {},
]

describe('a dump by its parts', () => {
  test.each([0, 2])('is what it is at once, with %d blanks', (indent) => {
    const { sections, damage } = sectionsOf(
      Buffer.from(`\n ${JSON.stringify({ other: [{}], configs: CONFIGS, more: 'x' }, null, indent)} `),
    )
    expect(damage).toBeUndefined()
    expect(sections.map((section) => section.read())).toEqual(CONFIGS)
    expect(sections.map(({ type }) => type)).toEqual(['type.googleapis.com/envoy.admin.v3.BootstrapConfigDump', 'a.B', ''])
  })

  test('that is large is the same as a small one', () => {
    const text = JSON.stringify({ configs: CONFIGS })
    const [whole, parts] = [readConfigDump(text, 'x'), readConfigDump(text, 'x', { wholeBytes: 10 })]
    expect(parts.document()).toEqual(whole.document())
    expect(parts.section('BootstrapConfigDump')).toEqual(whole.section('BootstrapConfigDump'))
    expect([...parts.source()].join('')).toBe(text)
  })

  test('cut anywhere gives what stands whole before, and never throws', () => {
    const bytes = Buffer.from(JSON.stringify({ configs: CONFIGS }))
    for (let length = 0; length < bytes.length; length++) {
      const { sections, damage } = sectionsOf(bytes.subarray(0, length))
      expect(damage).toBe(`it ends after ${length} bytes, in the middle`)
      for (const [index, section] of sections.entries()) {
        for (const [name, value] of Object.entries(section.read())) {
          const whole: unknown = Reflect.get(CONFIGS[index] ?? {}, name)
          expect(Array.isArray(value) ? value : [value]).toEqual(Array.isArray(whole) ? whole.slice(0, Object(value).length) : [whole])
        }
      }
    }
  })

  test('is refused when it is damaged, unless what is whole will do', () => {
    const cut = JSON.stringify({ configs: CONFIGS }).slice(0, -4)
    expect(() => readConfigDump(cut, 'pod a.b')).toThrow(/^pod a\.b is no config dump: it ends after \d+ bytes, in the middle/)
    expect(readConfigDump(cut, 'a.json', { damaged: 'read' }).damage).toMatch(/^a\.json is damaged: /)
  })
})

test('an object that is cut has what is whole of its lists', () => {
  expect(objectIn(Buffer.from('{"a":[1,2],"b":[{"c":1},{"d"'))).toEqual({
    value: { a: [1, 2], b: [{ c: 1 }] },
    damage: 'it ends after 28 bytes, in the middle',
  })
})
