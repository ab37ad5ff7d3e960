/**
 * Scoped logging in Istio's line format: `time<TAB>level<TAB>scope<TAB>message<TAB>key=value …`.
 *
 * Enters: messages with plain values. Leaves: lines to the sink (standard error unless replaced). Levels are set for each
 * scope by `--log_output_level` (`default:info,ads:debug`), as in Istio.
 */
import { oneEntry } from './control-characters.ts'

export const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'none'] as const
export type Level = (typeof LEVELS)[number]

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  readonly scope: string
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** Whether `level` would be written; ask before building an expensive message. */
  enabled(level: Level): boolean
}

interface Sink {
  write(line: string): void
}

const state = {
  levels: new Map<string, Level>(),
  stackTraces: new Map<string, Level>(),
  fallback: 'info' as Level,
  json: false,
  sink: { write: (line: string) => void process.stderr.write(line) } as Sink,
}

/** Replaces where lines go, for programs that log elsewhere and for tests. */
export function setLogSink(write: (line: string) => void): void {
  state.sink = { write }
}

/** Switches to one JSON object a line (`--log_as_json`). */
export function setLogJson(on: boolean): void {
  state.json = on
}

/**
 * Sets levels from Istio's `--log_output_level` text: `level` or `scope:level[,scope:level…]`; `all` and `default` set the
 * level of every scope not named.
 *
 * @throws Error naming the part that is not understood
 */
export function setLogLevels(text: string): void {
  for (const part of text.split(',')) {
    if (part === '') continue
    const colon = part.lastIndexOf(':')
    const scope = colon < 0 ? 'default' : part.slice(0, colon)
    const level = part.slice(colon + 1)
    if (!isLogLevel(level)) throw new Error(`log level "${part}": "${level}" is none of ${LEVELS.join(', ')}`)
    if (scope === 'default' || scope === 'all') state.fallback = level
    else state.levels.set(scope, level)
  }
}

/** The level now in force for a scope. */
export function logLevel(scope: string): Level {
  return state.levels.get(scope) ?? state.fallback
}

/** From which level on entries of a scope carry a stack trace; `none`, the default, for never. */
export function setStackTraceLevel(scope: string, level: Level): void {
  state.stackTraces.set(scope, level)
}

export function stackTraceLevel(scope: string): Level {
  return state.stackTraces.get(scope) ?? 'none'
}

const scopes = new Set<string>()

/** Names of all scopes made so far, sorted. */
export function logScopes(): string[] {
  return [...scopes].sort()
}

/** A logger for one scope; scopes are cheap, make one a module. */
export function logger(scope: string): Logger {
  scopes.add(scope)
  const enabled = (level: Level) => LEVELS.indexOf(level) >= LEVELS.indexOf(logLevel(scope))
  const write = (level: Level, message: string, fields?: LogFields) => {
    if (enabled(level)) state.sink.write(format(scope, level, message, traced(scope, level) ? { ...fields, stack: callers() } : fields))
  }
  return {
    scope,
    enabled,
    debug: (m, f) => write('debug', m, f),
    info: (m, f) => write('info', m, f),
    warn: (m, f) => write('warn', m, f),
    error: (m, f) => write('error', m, f),
  }
}

/** `none` is the last of all levels, and nothing is logged at it. */
function traced(scope: string, level: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(stackTraceLevel(scope))
}

/** Who logged: without the frames of this module. */
function callers(): string {
  return (new Error().stack ?? '')
    .split('\n')
    .slice(4)
    .map((line) => line.trim())
    .join(' < ')
}

function format(scope: string, level: Level, message: string, fields?: LogFields): string {
  const time = new Date().toISOString()
  if (state.json) return `${JSON.stringify({ time, level, scope, msg: message, ...printable(fields) })}\n`
  const tail = Object.entries(printable(fields)).map(
    ([key, value]) => `\t${key}=${oneEntry(typeof value === 'string' ? value : String(JSON.stringify(value)))}`,
  )
  // One entry, one line: a line break in a message could forge an entry, and a tab a field.
  return `${time}\t${level}\t${scope}\t${oneEntry(message)}${tail.join('')}\n`
}

function printable(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, v instanceof Error ? v.message : v]))
}

export function isLogLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text)
}
