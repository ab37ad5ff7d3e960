/** Logs of containers for a report: of a time, at most so many lines, and what in them is an error. */
import type { KubeClient } from '@lateen/kube'
import { fitsGlob } from './selection.ts'

export interface LogWindow {
  readonly since: Date | undefined
  readonly until: Date | undefined
  readonly tail: number | undefined
}

export interface LogRequest {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  /** The container has run before, and has left a log of that. */
  readonly hasEnded: boolean
}

/** Of one log, from where it begins: the API server leaves out what comes after. */
const MOST_BYTES = 64 << 20

/** The log, with that of the instance before the last restart after it. */
export async function readLog(client: KubeClient, request: LogRequest, window: LogWindow): Promise<string> {
  const log = await instanceLog(client, request, window)
  if (!request.hasEnded) return log
  // The node may have thrown it away.
  const former = await instanceLog(client, request, window, 'previous').catch((error: unknown) => String(error))
  return `==== the log before the last restart follows at the end ====\n${log}\n==== before the last restart ====\n${former}`
}

async function instanceLog(
  client: KubeClient,
  { namespace, pod, container }: LogRequest,
  window: LogWindow,
  instance?: 'previous',
): Promise<string> {
  const query = {
    container,
    timestamps: 'true',
    ...(instance && { previous: 'true' }),
    ...(window.tail === undefined ? {} : { tailLines: String(window.tail) }),
    ...(window.since === undefined ? {} : { sinceTime: window.since.toISOString() }),
    limitBytes: String(MOST_BYTES),
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of await client.stream(`/api/v1/namespaces/${namespace}/pods/${pod}/log`, { query })) chunks.push(chunk)
  return within(Buffer.concat(chunks).toString('utf8'), window.until)
}

/** Without the API server's times, and without lines after `until`. */
export function within(text: string, until: Date | undefined): string {
  const lines = text.split('\n').flatMap((line) => {
    const space = line.indexOf(' ')
    const time = new Date(line.slice(0, space))
    if (space < 0 || Number.isNaN(time.getTime())) return [line]
    return until !== undefined && time > until ? [] : [line.slice(space + 1)]
  })
  return lines.join('\n')
}

const IS_ERROR = /\b(error|fatal|critical|panic)\b/i

export interface LogErrors {
  readonly critical: readonly string[]
  readonly others: number
}

/** @param critical patterns of lines that matter most; @param ignored patterns of lines that do not count */
export function errorsOf(log: string, critical: readonly string[], ignored: readonly string[]): LogErrors {
  const fits = (line: string) => (pattern: string) => fitsGlob(`*${pattern}*`, line)
  const lines = log.split('\n').filter((line) => line !== '' && !ignored.some(fits(line)))
  const worst: string[] = []
  let others = 0
  for (const line of lines) {
    if (critical.some(fits(line))) worst.push(line)
    else if (IS_ERROR.test(line)) others++
  }
  return { critical: worst, others }
}
