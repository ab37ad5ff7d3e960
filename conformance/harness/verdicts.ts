/**
 * Tables of calls and what must become of each. Whether a call got in is counted at the app, by a mark that the call carries; what the
 * caller saw is the rest of the verdict.
 */
import type { Answer, CallSpec, Echo } from './echo.ts'
import { eventually } from './eventually.ts'

/** `served` by the app, refused with a status, or `cut off` without an answer. */
export type Verdict = 'served' | 'cut off' | '400' | '401' | '403' | '404' | '426' | '500' | '502' | '503' | '504'

/** By which the app's ledger tells one call from the others; either of the two is enough. */
export interface Mark {
  /** A path (HTTP, gRPC), or a line (bytes). */
  readonly text: string
  /** Headers, for calls whose paths are what they are about. */
  readonly headers: Readonly<Record<string, string>>
}

export interface MarkedCall {
  /** For the table: caller, protocol and what else tells it from the others. */
  readonly name: string
  readonly from: string
  readonly expected: Verdict
  readonly spec: (mark: Mark) => CallSpec
}

export interface Outcome {
  readonly name: string
  readonly expected: Verdict
  readonly actual: string
}

let rounds = 0

/** Makes all calls at once; answers those whose outcome is another than expected. */
export async function surprises(echo: Echo, app: string, calls: readonly MarkedCall[]): Promise<Outcome[]> {
  const round = `/round-${process.pid}-${rounds++}`
  const marks = calls.map((_, i): Mark => ({ text: `${round}/${i}.`, headers: { 'x-test': round, 'x-mark': String(i) } }))
  const answers = await Promise.all(
    marks.map((mark, i) => {
      const call = calls[i]
      if (!call) throw new RangeError(`there is no call ${i}`)
      return echo.callOnce(call.from, { newConnections: true, timeoutMs: 5_000, ...call.spec(mark) })
    }),
  )
  const received = [...(await echo.received(app, { path: round })), ...(await echo.received(app, { test: round }))]
  const outcomes = calls.map(({ name, expected }, i): Outcome => {
    const gotIn = received.some(({ path, headers }) => path.startsWith(`${round}/${i}.`) || headers['x-mark'] === String(i))
    return { name, expected, actual: verdictOf(answers[i], gotIn) }
  })
  return outcomes.filter(({ actual, expected }) => actual !== expected)
}

/** Waits until every call has the outcome that is expected of it. @throws Error with a table of those that have another */
export async function expectVerdicts(echo: Echo, app: string, calls: readonly MarkedCall[], patience = {}): Promise<void> {
  await eventually(async () => {
    const wrong = await surprises(echo, app, calls)
    if (wrong.length > 0) throw new Error(`${wrong.length} of ${calls.length} calls went another way:\n${tableOf(wrong)}`)
  }, patience)
}

function verdictOf(answer: Answer | undefined, gotIn: boolean): string {
  const seen = seenBy(answer)
  if (gotIn === (seen === 'served')) return seen
  return gotIn ? `got in, though the caller saw: ${seen}` : `${seen}, by another than the app`
}

/** The statuses of HTTP that proxies turn into these of gRPC. */
const GRPC: Readonly<Record<number, Verdict>> = { 7: '403', 14: '503', 16: '401' }

function seenBy(answer: Answer | undefined): string {
  if (!answer || answer.status === 0) return 'cut off'
  // Bytes; the app's answer begins with its name.
  if (answer.headers['content-type'] === undefined && answer.pod === '' && answer.body !== '') return bytesSeen(answer.body)
  const status = answer.grpcStatus === undefined ? undefined : GRPC[answer.grpcStatus]
  if (status !== undefined) return status
  return answer.pod !== '' && answer.status === 200 ? 'served' : String(answer.status)
}

/** A request that was written as bytes has an answer with a status line. */
function bytesSeen(body: string): string {
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(body) ?? []
  if (status === undefined) return 'served'
  return status === '200' ? 'served' : status
}

function tableOf(outcomes: readonly Outcome[]): string {
  const rows = [['call', 'expected', 'seen'], ...outcomes.map(({ name, expected, actual }) => [name, expected, actual])]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()).join('\n')
}
