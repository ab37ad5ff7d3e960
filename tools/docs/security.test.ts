/** The rules of docs/security.md: their tests exist, and those that are rules for the source hold. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cellsOf, missing, namedTest, spans } from './named-tests.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Files that make regular expressions while they run, and why that harms nobody. */
const MADE_EXPRESSIONS: Readonly<Record<string, string>> = {
  'packages/api/src/schema/read.ts': 'the pattern is one of our own schemas, not of an object',
  'packages/api/src/reading/odd-lines.ts': 'made of constants of the same file',
  'packages/runtime/src/node/process-table.ts': 'the name is a constant of the same file',
}

/** Texts that would be carried out as code. */
const EXECUTION = /\beval\(|\bnew Function\(|from 'node:vm'|\bnew Worker\(/

const [, table = ''] = readFileSync(join(ROOT, 'docs/security.md'), 'utf8').split('\n## Rules learnt from others’ mistakes\n')
const rules = cellsOf(table)
  .filter(([first]) => first !== 'rule')
  .map(([rule = '', shown = '']) => ({ rule, tests: spans(shown) }))

test('the table has all rules', () => {
  expect(rules.length).toBeGreaterThanOrEqual(15)
})

test.each(rules)('$rule: its tests exist', ({ tests }) => {
  expect(tests).not.toEqual([])
  expect(tests.flatMap((each) => missing(namedTest(each), ROOT) ?? [])).toEqual([])
})

describe('sources', () => {
  const sources = readdirSync(join(ROOT, 'packages'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^[\w-]+\/src\/.*\.ts$/.test(path) && !/\.test\.ts$|\/gen\/|\/testing\//.test(path))
    .map((path) => ({ path: `packages/${path}`, text: readFileSync(join(ROOT, 'packages', path), 'utf8') }))

  test('regular expressions are made of texts only where this list says why', () => {
    expect(sources.length).toBeGreaterThan(500)
    const making = sources
      .filter(({ text }) => /\bRegExp\(|\.(match|matchAll|search)\((?!\s*(\/|[A-Z_]+\)))/.test(withoutComments(text)))
      .map(({ path }) => path)
    expect(making.filter((path) => !Object.hasOwn(MADE_EXPRESSIONS, path))).toEqual([])
    expect(Object.keys(MADE_EXPRESSIONS).filter((path) => !making.includes(path))).toEqual([])
  })

  test('nothing executes texts as code', () => {
    expect(sources.filter(({ text }) => EXECUTION.test(withoutComments(text))).map(({ path }) => path)).toEqual([])
  })
})

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
