/** Every analyzer on the cases of `cases.yaml`; and that each message of each has a case. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { MESSAGES } from '../messages/messages.ts'
import { ANALYZERS, OPTIONAL_ANALYZERS } from '../registry.ts'
import { type AnalyzerCase, runCase } from '../testing/cases.ts'

const cases: readonly AnalyzerCase[] = parse(readFileSync(new URL('cases.yaml', import.meta.url), 'utf8'))

test.each(cases)('$analyzer: $name', (one) => {
  expect(runCase(one)).toEqual([...one.finds].sort())
})

describe('every analyzer', () => {
  const own = [...ANALYZERS, ...OPTIONAL_ANALYZERS].filter(({ name }) => !name.startsWith('schema.'))
  // Clusters are not files: its test stands beside it.
  const tested = own.filter(({ name }) => name !== 'services.MultiClusterServiceAnalyzer')

  test.each(tested)('$name has a case for each of its messages', ({ name, messages }) => {
    const found = cases.filter(({ analyzer }) => analyzer === name).flatMap(({ finds }) => finds.map((line) => line.split(' ')[0]))
    expect([...new Set(found)].sort()).toEqual([...new Set(messages.map((message) => MESSAGES[message].code))].sort())
  })

  test('has a name of its own', () => {
    const names = [...ANALYZERS, ...OPTIONAL_ANALYZERS].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
