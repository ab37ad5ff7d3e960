/** What a report is about: flags, and a file for what no flag gives. */
import { parse } from 'yaml'
import { fields, list, text } from '../../config-dump/fields.ts'
import { readText } from '../../input/read-text.ts'
import type { Context, Flags } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { parseDuration } from '../../shell/flag-values.ts'
import type { Scope } from './collect.ts'
import type { ErrorPatterns } from './report.ts'
import { parseChoice } from './selection.ts'

export interface Settings {
  readonly scope: Scope
  readonly patterns: ErrorPatterns
  readonly isDryRun: boolean
  readonly timeoutMs: number
  readonly concurrency: number
  /** The flags, with the file's cluster for those that were not given. */
  readonly flags: Flags
}

/** istioctl's names of what flags say. */
const FILE_KEYS: Readonly<Record<string, string>> = {
  kubeConfigPath: 'kubeconfig',
  context: 'context',
  istioNamespace: 'istioNamespace',
  dryRun: 'dry-run',
  fullSecrets: 'full-secrets',
  commandTimeout: 'timeout',
  include: 'include',
  exclude: 'exclude',
  startTime: 'start-time',
  endTime: 'end-time',
  since: 'duration',
  criticalErrors: 'critical-errs',
  ignoredErrors: 'ignore-errs',
  requestConcurrency: 'rq-concurrency',
  proxyAdminPort: 'proxy-admin-port',
}

/** @throws CommandError for texts that are no times, durations or choices, and for what the file says and nobody knows */
export function settingsOf(context: Context): Settings {
  const flags = withFile(context.flags)
  const until = timeOf('end-time', flags.text('end-time'))
  const since = timeOf('start-time', flags.text('start-time'))
  const duration = flags.duration('duration')
  if (since && duration) throw new CommandError('--start-time and --duration exclude each other', { exitCode: EXIT.usage })
  if (since && until && since > until) throw new CommandError('--start-time is after --end-time', { exitCode: EXIT.usage })
  return {
    flags,
    scope: {
      include: flags.list('include').map(parseChoice),
      exclude: flags.list('exclude').map(parseChoice),
      window: {
        since: since ?? (duration ? new Date((until?.getTime() ?? Date.now()) - duration) : undefined),
        until,
        tail: flags.integer('tail'),
      },
      fullSecrets: flags.on('full-secrets'),
      proxyAdminPort: flags.integer('proxy-admin-port') ?? 15_000,
      skip: {
        clusterDump: flags.on('skip-cluster-dump'),
        analysis: flags.on('skip-analyze'),
        proxyDebug: flags.on('skip-proxy-debug'),
        netstat: flags.on('skip-netstat'),
        coreDumps: flags.on('skip-coredumps'),
      },
    },
    patterns: { critical: flags.list('critical-errs'), ignored: flags.list('ignore-errs') },
    isDryRun: flags.on('dry-run'),
    timeoutMs: flags.duration('timeout') || 1_800_000,
    concurrency: Math.max(1, flags.integer('rq-concurrency') || 8),
  }
}

function timeOf(flag: string, given: string | undefined): Date | undefined {
  if (!given) return undefined
  const time = new Date(given)
  if (!Number.isNaN(time.getTime())) return time
  throw new CommandError(`--${flag} ${given}: a time such as 2026-01-31T12:00:00Z is wanted`, { exitCode: EXIT.usage })
}

/** Flags that answer with what the file says where they were not given. */
function withFile(flags: Flags): Flags {
  const named: Flags = {
    ...flags,
    text: (name) => flags.text(name === 'istioNamespace' && flags.given('istio-namespace') ? 'istio-namespace' : name),
    given: (name) => flags.given(name) || (name === 'istioNamespace' && flags.given('istio-namespace')),
  }
  const path = flags.text('filename')
  if (path === undefined) return named
  const held = heldBy(path)
  const own = (name: string): unknown => (named.given(name) ? undefined : held.get(name))
  const wrong = (name: string, wanted: string) => new CommandError(`${path}: ${name} is ${wanted}`, { exitCode: EXIT.data })
  return {
    given: (name) => named.given(name) || held.has(name),
    text: (name) => (own(name) === undefined ? named.text(name) : text(own(name)) || undefined),
    on: (name) => (own(name) === undefined ? named.on(name) : own(name) === true),
    list: (name) => (own(name) === undefined ? named.list(name) : list(own(name)).map(text)),
    integer: (name) => {
      const value = own(name)
      if (value === undefined) return named.integer(name)
      if (typeof value === 'number' && Number.isInteger(value)) return value
      throw wrong(name, 'a number')
    },
    duration: (name) => {
      const value = own(name)
      if (value === undefined) return named.duration(name)
      // Go writes a number of nanoseconds for a duration without a unit.
      return typeof value === 'number' ? value / 1e6 : parseDuration(text(value))
    },
  }
}

/** Values by the names of flags. */
function heldBy(path: string): ReadonlyMap<string, unknown> {
  let document: unknown
  try {
    document = parse(readText(path), { maxAliasCount: 0 })
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`${path} is not YAML: ${error instanceof Error ? error.message : String(error)}`, { exitCode: EXIT.data })
  }
  const entries = Object.entries(fields(document))
  const unknown = entries.find(([key]) => !Object.hasOwn(FILE_KEYS, key))
  if (unknown) {
    throw new CommandError(`${path}: there is no field "${unknown[0]}"; there are: ${Object.keys(FILE_KEYS).join(', ')}`, {
      exitCode: EXIT.data,
    })
  }
  return new Map(entries.map(([key, value]) => [FILE_KEYS[key] ?? key, value]))
}
