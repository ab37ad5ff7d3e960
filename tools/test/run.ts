/**
 * Runs the suites, those with a mesh of their own two at a time, and sums them up. The very last line is `N passed, N failed, N skipped`.
 *
 * usage: node tools/bootstrap/main.mjs tools/test/run.ts check|all [SUITE…]
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, constants, copyFileSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { findEnvoy } from '@lateen/cli/envoy'
import { prepareHost, progressOn } from '@lateen/cli/host'
import { prepare } from '../build/prepare.ts'
import type { TestLine } from './reporter.ts'
import { checkSuites, endToEndSuites, type Suite } from './suites.ts'

const root = join(import.meta.dirname, '../..')
/** All suites together; what has not begun by then counts as failed. */
const LONGEST_MS = 35 * 60_000
/** How many suites with meshes run at once. */
const LANES = 2
const GRACE_MS = 20_000
const TAIL_LINES = 60

/** Ctrl-C or SIGTERM: what runs is ended, and nothing more begins. */
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())

interface Counts {
  passed: number
  failed: number
  skipped: number
}

async function main([which = 'all', ...wanted]: readonly string[]): Promise<Counts> {
  const total: Counts = { passed: 0, failed: 0, skipped: 0 }
  await prepare()
  const env = await environment()
  const end = Date.now() + LONGEST_MS
  const all = [...checkSuites(root), ...(which === 'all' ? endToEndSuites(root) : [])]
  const suites = all.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  const runAll = async (queue: Suite[]): Promise<void> => {
    for (let suite = queue.shift(); suite && !ending.signal.aborted; suite = queue.shift()) {
      const began = Date.now()
      const counts = await runSuite(suite, Math.min(suite.timeoutMs, end - began), env)
      say(`${suite.name}: ${line(counts)} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
      for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key]
    }
  }
  await runAll(suites.filter(({ needs }) => needs === 'the machine'))
  // Most of such a suite is waiting: for pods, for pushes, for time-outs.
  const shared = suites.filter(({ needs }) => needs === 'a mesh')
  await Promise.all(Array.from({ length: Math.min(LANES, availableParallelism()) }, () => runAll(shared)))
  await runAll(suites.filter(({ needs }) => needs === 'quiet'))
  if (ending.signal.aborted) throw new Error('ended by a signal before all suites had run')
  return total
}

/** What tests with real programs need: Envoy by its path, the system's programs installed. */
async function environment(): Promise<NodeJS.ProcessEnv> {
  const progress = progressOn({ write: (text: string) => void process.stdout.write(text) }, process.env)
  await prepareHost(process.env, progress).catch((error: unknown) => say(error instanceof Error ? error.message : String(error)))
  const envoy = await findEnvoy({ env: process.env, progress: (text) => progress.note(text) })
  return { ...process.env, ENVOY_PATH: readableByAll(envoy), NO_COLOR: '1', FORCE_COLOR: undefined }
}

/** Root's cache is closed to the user of the rootless tests: they get a copy that goes when the tests end. */
function readableByAll(envoy: string): string {
  if (process.getuid?.() !== 0) return envoy
  const folder = mkdtempSync(join(tmpdir(), 'lateen-test-envoy-'))
  chmodSync(folder, 0o755)
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const copy = join(folder, 'envoy')
  copyFileSync(envoy, copy, constants.COPYFILE_FICLONE)
  chmodSync(copy, 0o755)
  return copy
}

async function runSuite(suite: Suite, timeoutMs: number, environment: NodeJS.ProcessEnv): Promise<Counts> {
  if (timeoutMs <= 0) {
    say(`FAIL ${suite.name}: not begun, the time for all suites was over`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const results = join(root, '.test-results', `${suite.name.replaceAll('/', '-')}.jsonl`)
  mkdirSync(join(root, '.test-results'), { recursive: true })
  rmSync(results, { force: true })
  const homes = mkdtempSync(join(tmpdir(), 'lateen-test-'))
  // Tests that run as another user have their homes below it.
  chmodSync(homes, 0o755)
  const { code, timedOut } = await runToEnd(suite, timeoutMs, { ...environment, LATEEN_TEST_RESULTS: results, LATEEN_E2E_ROOT: homes })
  endLeftMeshes(homes)
  const counts = suite.kind === 'vitest' ? countLines(results) : { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }
  if (timedOut) say(`FAIL ${suite.name}: ended after ${timeoutMs / 1000} s, its limit`)
  // A suite that ended badly without a failed test has failed all the same, and so has one that ran nothing.
  const silent = counts.failed === 0 && (timedOut || code !== 0 || counts.passed + counts.skipped === 0)
  if (silent && !timedOut) say(`FAIL ${suite.name}: ended with ${code} and ${counts.passed + counts.skipped} results`)
  if (silent || suite.kind === 'step') sayTail(`${results}.log`)
  else if (counts.failed > 0) say(`${suite.name}: what it logged is in ${results}.log`)
  return { ...counts, failed: counts.failed + (silent ? 1 : 0) }
}

function runToEnd(suite: Suite, timeoutMs: number, env: NodeJS.ProcessEnv): Promise<{ code: number; timedOut: boolean }> {
  return new Promise((resolve) => {
    // A group of its own, so that a hung suite's children end with it.
    // What the code under test logs is kept for those who look for a cause, and does not drown the results.
    const log = openSync(`${env['LATEEN_TEST_RESULTS']}.log`, 'w')
    const child = spawn(suite.command, suite.args, { cwd: root, env, stdio: ['ignore', 'inherit', log], detached: true })
    closeSync(log)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child)
    }, timeoutMs)
    const stop = () => endGroup(child)
    ending.signal.addEventListener('abort', stop)
    child.on('close', (code) => {
      clearTimeout(timer)
      ending.signal.removeEventListener('abort', stop)
      resolve({ code: code ?? 1, timedOut })
    })
  })
}

/** Takes down what a suite that was killed could not. */
function endLeftMeshes(folder: string): void {
  for (const name of readdirSync(folder))
    spawnSync(join(root, 'bin/lateen'), ['down', '--home', join(folder, name)], { stdio: 'ignore', timeout: 60_000 })
  rmSync(folder, { recursive: true, force: true })
}

/** First politely, so that a suite can take its mesh down. */
function endGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM')
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS)
  child.once('close', () => clearTimeout(timer))
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal)
  } catch {
    // Gone already.
  }
}

function countLines(path: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return counts
  }
  for (const entry of text.split('\n').filter(Boolean)) counts[stateOf(entry)]++
  return counts
}

/** A line that a kill cut short counts as a failure. */
function stateOf(entry: string): TestLine['state'] {
  try {
    const parsed: unknown = JSON.parse(entry)
    const state = typeof parsed === 'object' && parsed !== null && 'state' in parsed ? parsed.state : undefined
    return state === 'passed' || state === 'skipped' ? state : 'failed'
  } catch {
    return 'failed'
  }
}

function sayTail(path: string): void {
  const text = readFileSync(path, 'utf8').trimEnd()
  if (text !== '') say(text.split('\n').slice(-TAIL_LINES).join('\n'))
}

const line = ({ passed, failed, skipped }: Counts) => `${passed} passed, ${failed} failed, ${skipped} skipped`
const say = (text: string) => void process.stdout.write(`${text}\n`)

const total = await main(process.argv.slice(2)).catch((error: unknown) => {
  say(`FAIL ${error instanceof Error ? error.message : String(error)}`)
  return { passed: 0, failed: 1, skipped: 0 }
})
process.exitCode = total.failed > 0 ? 1 : 0
say(line(total))
