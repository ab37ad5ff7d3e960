/**
 * Vitest's results, one JSON line as each test ends, in the file that `LATEEN_TEST_RESULTS` names; failures are also told to
 * the reader at once. A run that is killed keeps what it had found out.
 */
import { appendFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

export interface TestLine {
  readonly state: 'passed' | 'failed' | 'skipped'
  readonly name: string
}

interface Said {
  readonly message: string
  readonly stack?: string | undefined
}

export default class LineReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result()
    const { state, errors } = result
    if (state === 'pending') return
    const name = `${test.module.relativeModuleId} > ${test.fullName}`
    record({ state, name })
    if (state === 'failed') tell(`FAIL ${name}`, errors ?? [])
    // Counted as passed, and said: a test that fails now and then has a fault, in itself or in what it tests.
    if (test.diagnostic()?.flaky) tell(`FLAKY ${name}: passed when tried again`, errors ?? [])
    if (result.state === 'skipped' && result.note) tell(`SKIP ${name}: ${result.note}`, [])
  }

  onTestModuleEnd(module: TestModule): void {
    const errors = [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())]
    if (errors.length === 0) return
    record({ state: 'failed', name: module.relativeModuleId })
    tell(`FAIL ${module.relativeModuleId}`, errors)
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly Said[]): void {
    if (unhandled.length === 0) return
    record({ state: 'failed', name: 'unhandled error' })
    tell('FAIL an error that no test caught', unhandled)
  }
}

function record(line: TestLine): void {
  const path = process.env['LATEEN_TEST_RESULTS']
  if (path) appendFileSync(path, `${JSON.stringify(line)}\n`)
}

function tell(title: string, errors: readonly Said[]): void {
  const lines = errors.flatMap(({ message, stack }) => [message, ...(stack ?? '').split('\n').slice(0, 12)])
  process.stdout.write(`${[title, ...lines.map((line) => `    ${line}`)].join('\n')}\n`)
}
