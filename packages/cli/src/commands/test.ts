/** `test`: routing cases, run on the configuration that the proxies would get. */
import { statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readText } from '../input/read-text.ts'
import { type Case, holdsCases, parseCases } from '../routing/cases.ts'
import { junitOf } from '../routing/junit.ts'
import { runCases, type TestReport } from '../routing/run-cases.ts'
import { loadWorld, WORLD_FLAGS } from '../routing/world.ts'
import { command, HOME_FLAG, Outcome } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

export const test = command<TestReport>({
  help:
    'Runs routing cases: requests with what is expected of them. Each is walked through the configuration that the proxies would get, without a ' +
    'cluster and without Envoy. Lists the routes that no case reaches. The exit code is 1 when a case fails or coverage is too low.',
  args: [{ name: 'file', help: 'file with cases, or with configuration: the same as -f', variadic: true, optional: true }],
  flags: [
    ...WORLD_FLAGS,
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      choices: ['text', 'short', 'json', 'yaml', 'junit'],
      help: 'text, short, json, yaml or junit',
    },
    { name: 'junit', value: 'FILE', help: 'write JUnit XML to this file as well' },
    { name: 'min-coverage', value: 'PERCENT', type: 'integer', help: 'fail when fewer percent of the routes are reached' },
    HOME_FLAG,
  ],
  examples: [
    'lateen test -f cases.yaml',
    'lateen test -f cases.yaml -f routes/ --min-coverage 100',
    'lateen test -f cases.yaml -f routes/ --use-kube --junit results.xml',
  ],
  async run(context) {
    const { flags } = context
    const least = flags.integer('min-coverage') ?? 0
    if (least < 0 || least > 100)
      throw new CommandError(`--min-coverage ${least}: a number from 0 to 100 is wanted`, { exitCode: EXIT.usage })
    const { files, cases, config } = readCaseFiles([...context.args, ...flags.list('filename')])
    const report = runCases(await loadWorld(context, config), cases, files.join(', '), Date.now())
    const xml = flags.text('junit')
    if (xml !== undefined) writeFileSync(xml, junitOf(report))
    const failed = report.results.some(({ failures }) => failures.length > 0) || coverage(report) < least
    const data = flags.text('output') === 'junit' ? { ...report, junit: junitOf(report) } : report
    return new Outcome(data, failed ? EXIT.failure : EXIT.ok)
  },
  render: (report, style) => report.junit ?? renderText(report, style),
})

/** What of the files are cases, and all configuration: that of `-f`, and that which the cases name. */
function readCaseFiles(paths: readonly string[]) {
  const files: string[] = []
  const cases: Case[] = []
  const config: string[] = []
  for (const path of paths) {
    // Folders and standard input hold objects.
    const text = path === '-' || statSync(path, { throwIfNoEntry: false })?.isDirectory() ? '' : readText(path)
    if (text === '' || !holdsCases(text)) {
      config.push(path)
      continue
    }
    const read = parseCases(text, path)
    files.push(path)
    cases.push(...read.cases)
    config.push(...read.config.map((entry) => resolve(dirname(path), entry)))
  }
  if (files.length === 0)
    throw new CommandError('no file with cases is given: -f cases.yaml. See docs/testing-routes.md', { exitCode: EXIT.usage })
  return { files, cases, config: [...new Set(config)] }
}

const coverage = ({ coverage: { routes, covered } }: TestReport): number => (routes === 0 ? 100 : (covered / routes) * 100)

function renderText(report: TestReport, style: 'table' | 'short'): string {
  const { results, notes } = report
  const shown = style === 'short' ? results.filter(({ failures }) => failures.length > 0) : results
  const cases = shown.flatMap(({ name, failures, decidedBy }) => [
    `${failures.length > 0 ? 'FAIL' : 'ok  '}  ${name}`,
    ...failures.map((failure) => `      ${failure}`),
    ...decidedBy.map((cause) => `      decided by ${cause}`),
  ])
  const { routes, covered, uncovered } = report.coverage
  const failed = results.filter(({ failures }) => failures.length > 0).length
  const sum = `${results.length - failed} passed, ${failed} failed; ${covered} of ${routes} routes reached (${Math.floor(coverage(report))} %)`
  return [...cases, ...uncovered.map((route) => `not reached: ${route}`), ...notes.map((note) => `note: ${note}`), sum].join('\n')
}
