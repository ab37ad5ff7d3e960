/** The blocks of teaching documents that are wrong are refused by `validate`: with the field, the line, and what was probably meant. */
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { LATEEN } from '../harness/mesh.ts'
import { run } from '../harness/run.ts'
import { SEEDS, seedsAreThere, seedVerdicts } from '../harness/seeds.ts'

const wrong = seedVerdicts.filter(
  ({ status, resources }) => status === 'invalid' && !resources.some(({ kind }) => kind === 'IstioOperator'),
)

if (!seedsAreThere) test.skip(`the seed cases that are wrong: ${SEEDS} is not there`, () => undefined)
else
  describe('a seed case that is wrong', () => {
    let lines: readonly string[] = []
    beforeAll(async () => {
      const { code, output } = await run(LATEEN, ['validate', ...wrong.flatMap(({ file }) => ['-f', join(SEEDS, file)])], {
        timeoutMs: 120_000,
      })
      expect(code, output).not.toBe(0)
      lines = output
        .slice(output.indexOf('Error: '))
        .split('\n')
        .filter((line) => line.startsWith('\t* '))
    })
    const errorsOf = (file: string) => lines.filter((line) => line.includes(`/${file}:`))

    test.each(wrong)('$file is refused with the field and the line', ({ file, deprecatedOrInvalidFields = [] }) => {
      const errors = errorsOf(file)
      expect(errors).not.toEqual([])
      for (const line of errors) expect(line).toMatch(/:\d+\)$/)
      // Their lines begin with spaces that are none: more is not to be known of them.
      if (errors.some((line) => line.includes('U+00A0'))) return
      for (const { field } of deprecatedOrInvalidFields.filter(({ status }) => status === 'invalid')) {
        const named = field.replace(/^\w+: /, '').replace(/^apiVersion.*/, 'kind')
        const around = named.slice(0, named.lastIndexOf('.'))
        expect(
          errors.some((line) => line.includes(`${named}:`) || line.includes(`${around}:`)),
          `${field}\n${errors.join('\n')}`,
        ).toBe(true)
      }
    })

    test.each([
      ['000-15', '"CLIENT_AND_SERVER"'],
      ['001-46', '"tagOverrides"'],
      ['001-52', '"tagOverrides"'],
      ['001-56', 'WorkloadGroup is in networking.istio.io'],
      ['001-58', 'it belongs to spec.trafficPolicy.outlierDetection'],
      ['001-59', 'use fixedDelay'],
      ['003-23', 'a full name with a dot'],
    ])('%s is refused with what was probably meant: %s', (seed, meant) => {
      const file = wrong.find((verdict) => verdict.file.startsWith(`${seed}-`))?.file ?? ''
      expect(errorsOf(file).join('\n')).toContain(meant)
    })
  })
