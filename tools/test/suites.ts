/** Which suites there are, in the order in which they run, and how long each may take. */
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { biomePath } from '../build/biome.ts'

export interface Suite {
  readonly name: string
  readonly kind: 'step' | 'vitest'
  readonly command: string
  readonly args: readonly string[]
  readonly timeoutMs: number
  /** `the machine`: runs before all others, one at a time; `a mesh`: beside others; `quiet`: it takes the time of what it does, so runs alone. */
  readonly needs: 'the machine' | 'a mesh' | 'quiet'
}

const MINUTE = 60_000
const LONGEST_MS = 10 * MINUTE

/** Files whose tests measure speed, keep up a load that a busy machine would fail, or build a program in bounded time. */
const QUIET: ReadonlySet<string> = new Set([
  'cases/demo.test.ts',
  'cases/certificates.test.ts',
  'cases/lifecycle.test.ts',
  'cases/resilience.test.ts',
  'cases/rollout.test.ts',
  'cases/security-opa.test.ts',
  'cases/speed.test.ts',
])

/** Before every commit: format, lint, types, boundaries, unit and golden tests. */
export function checkSuites(root: string): Suite[] {
  return [
    step('format', biomePath(), ['format', '--colors=off', '.'], 2 * MINUTE),
    step('lint', biomePath(), ['lint', '--colors=off', '--max-diagnostics=30', '.'], 2 * MINUTE),
    step('types', process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], 4 * MINUTE),
    vitest(root, { name: 'unit', args: ['--project', 'unit'], needs: 'the machine' }),
  ]
}

/** One suite a file: a file that hangs costs only itself. */
export function endToEndSuites(root: string): Suite[] {
  const folder = join(root, 'conformance')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.test.ts') && !name.includes('node_modules'),
  )
  return files.sort().map((name) => {
    const path = relative(root, join(folder, name))
    return vitest(root, { name: path, args: ['--project', 'e2e', path], needs: QUIET.has(name) ? 'quiet' : 'a mesh' })
  })
}

function step(name: string, command: string, args: readonly string[], timeoutMs: number): Suite {
  return { name, kind: 'step', command, args, timeoutMs, needs: 'the machine' }
}

function vitest(root: string, { name, args, needs }: Pick<Suite, 'name' | 'args' | 'needs'>): Suite {
  const reporter = join(root, 'tools/test/reporter.ts')
  return {
    name,
    kind: 'vitest',
    command: process.execPath,
    args: [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args, `--reporter=${reporter}`],
    timeoutMs: LONGEST_MS,
    needs,
  }
}
