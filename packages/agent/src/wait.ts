/** `wait`: returns when the proxy is ready; the hook behind holdApplicationUntilProxyStarts. */
import { http } from './envoy/node-http.ts'
import { EXIT, type ProgramIo, processIo } from './program.ts'
import { SettingError } from './settings/environment.ts'
import { helpText, parseFlags, WAIT_FLAGS } from './settings/flags.ts'

/**
 * Asks a URL until it answers 200.
 *
 * @returns the exit code: 1 when time is up, 64 for wrong usage
 */
export async function runWait(argv: readonly string[], io: ProgramIo = processIo()): Promise<number> {
  try {
    const flags = parseFlags(argv, WAIT_FLAGS)
    if (flags.help) {
      io.stdout(helpText('wait [flags]', WAIT_FLAGS))
      return EXIT.ok
    }
    const number = (name: string) => positive(flags.values[name] ?? '', name)
    const url = flags.values.url ?? ''
    if (!URL.canParse(url) || !url.startsWith('http:')) throw new SettingError(`--url="${url}" is not an http URL`)
    return await waitFor(
      url,
      { periodMs: number('periodMillis'), requestMs: number('requestTimeoutMillis'), totalMs: number('timeoutSeconds') * 1000 },
      io,
    )
  } catch (error) {
    io.stderr(`${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof SettingError ? EXIT.usage : EXIT.failed
  }
}

async function waitFor(url: string, times: { periodMs: number; requestMs: number; totalMs: number }, io: ProgramIo): Promise<number> {
  const end = Date.now() + times.totalMs
  let problem: string | undefined
  do {
    problem = await ask(url, times.requestMs)
    if (problem === undefined) return EXIT.ok
    await new Promise((resolve) => setTimeout(resolve, times.periodMs))
  } while (Date.now() < end)
  io.stderr(`the proxy is not ready after ${times.totalMs / 1000} s: ${url}: ${problem}\n`)
  return EXIT.failed
}

/** `undefined` when the answer was 200; else what happened instead. */
function ask(url: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text = (text + chunk).slice(0, 1000)))
      response.on('end', () =>
        resolve(response.statusCode === 200 ? undefined : `HTTP status ${response.statusCode} ${text.trim()}`.trim()),
      )
      response.on('error', (error) => resolve(reasonOf(error)))
    })
    request.on('error', (error) => resolve(reasonOf(error)))
  })
}

/** A name with several addresses fails with an error for each, and no message of its own. */
function reasonOf(error: Error): string {
  const errors = error instanceof AggregateError ? error.errors.filter((each) => each instanceof Error) : [error]
  return errors.map(({ message }) => message).join(', ') || error.name
}

function positive(text: string, flag: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new SettingError(`--${flag}=${text} is not a positive whole number`)
}
