/**
 * The black-box cases that lie beside the repository on machines that have them (`../shared/conformance`), through their own
 * runner. Cases that are declared wrong stand, with the reason, in `declared-wrong/`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { LATEEN, ROOT } from '../harness/mesh.ts'
import { run } from '../harness/run.ts'

const CASES = join(ROOT, '../shared/conformance')
const RUNNER = join(CASES, 'run')
const WITHIN_MS = 5 * 60_000

const SUITES: readonly { readonly name: string; readonly options?: readonly string[] }[] = [
  { name: 'routing' },
  { name: 'proxy-config' },
  { name: 'analyze', options: ['--analyze-objects', 'x analyze-objects -A -o json'] },
]

describe('black-box cases', () => {
  beforeEach((context) => {
    if (!existsSync(RUNNER)) context.skip(`${RUNNER} is not there`)
  })

  test.each(SUITES)('$name', { timeout: WITHIN_MS }, async ({ name, options = [] }) => {
    const failed = await failedCases(name, options)
    expect(failed.filter((each) => !declaredWrong(name).has(each))).toEqual([])
  })
})

/** The names of the cases that fail. */
async function failedCases(suite: string, options: readonly string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-black-box-'))
  try {
    const args = [RUNNER, '--cli', LATEEN, '--suite', suite, '--jobs', '2', '--max-fail', '1000', '--max-diff', '0', ...options]
    const { stdout, stderr, code } = await run('python3', args, { timeoutMs: WITHIN_MS, env: { ...process.env, LATEEN_HOME: folder } })
    const failed = [...stdout.matchAll(/^ {2}FAIL (\S+)$/gm)].map(([, name = '']) => name)
    if (!stdout.includes(`${suite}: `)) throw new Error(`the runner ended with ${code}:\n${stdout}${stderr}`)
    return failed
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Names of cases in backticks. */
function declaredWrong(suite: string): ReadonlySet<string> {
  const path = join(ROOT, 'conformance/declared-wrong', `${suite}.md`)
  if (!existsSync(path)) return new Set()
  return new Set([...readFileSync(path, 'utf8').matchAll(/`([a-z0-9-]+)`/g)].map(([, name = '']) => name))
}
