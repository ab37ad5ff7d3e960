/** Verdicts compared with those of Istio, case by case, when the cases are at hand. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseDocuments } from './reading/parse-documents.ts'
import { validate } from './validate.ts'

const CASES = new URL('../../../../shared/conformance/validate/', import.meta.url)

interface Expected {
  ok: boolean
  errors: string[]
  warnings: string[]
}

const names = existsSync(CASES) ? readdirSync(CASES).filter((name) => existsSync(new URL(`${name}/input.yaml`, CASES))) : []

function verdict(name: string) {
  const file = `${name}/input.yaml`
  const parsed = parseDocuments(readFileSync(new URL(file, CASES), 'utf8'), file)
  const found = [
    ...parsed.diagnostics,
    ...parsed.objects.flatMap(({ object, positionOf }) => validate(object, { file, positions: positionOf })),
  ]
  const some = (severity: string) => found.some((diagnostic) => diagnostic.severity === severity)
  return { ok: !some('Error'), warned: some('Warning'), found }
}

describe.skipIf(names.length === 0)('the verdicts of Istio', () => {
  test('more than 97 of 100 are equal', () => {
    const differing = names.flatMap((name) => {
      const expected = JSON.parse(readFileSync(new URL(`${name}/expected.json`, CASES), 'utf8')) as Expected
      const { ok, warned, found } = verdict(name)
      if (ok === expected.ok && warned === expected.warnings.length > 0) return []
      return [
        {
          name,
          expected: [expected.ok, ...expected.errors, ...expected.warnings],
          found: found.map(({ severity, path, message }) => `${severity} ${path}: ${message}`),
        },
      ]
    })
    const equal = (names.length - differing.length) / names.length
    expect(equal, `${differing.length} of ${names.length} differ:\n${JSON.stringify(differing, null, 2)}`).toBeGreaterThan(0.97)
  })
})
