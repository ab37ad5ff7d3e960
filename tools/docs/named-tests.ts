/** Tests that documents name as `file > test name`. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface NamedTest {
  readonly file: string
  readonly name: string
}

/** What is in backquotes. */
export function spans(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
}

/** The cells of a table's rows, headings left out. */
export function cellsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| --- |'))
  return lines.map((line) => line.slice(2, -2).split(' | '))
}

export function namedTest(text: string): NamedTest {
  const [file = '', name = ''] = text.split(' > ')
  return { file, name }
}

/** Why a test is not there; undefined when it is. */
export function missing({ file, name }: NamedTest, folder: string): string | undefined {
  const path = join(folder, file)
  if (!existsSync(path)) return `${file} is no file of ${folder}`
  return declares(readFileSync(path, 'utf8'), name) ? undefined : `${file} has no test "${name}"`
}

/** Names may stand in any quotes, and behind `test`, `test.each(…)` and the like. */
function declares(source: string, name: string): boolean {
  const joined = source.replaceAll(/\(\s+/g, '(')
  return ["'", '"', '`'].some((quote) => joined.includes(`(${quote}${name}${quote},`))
}
