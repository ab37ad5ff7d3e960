/** The flags of `proxy`, `wait` and `request`: those of pilot-agent, with the same names and defaults. */
import { parseArgs } from 'node:util'
import { SettingError } from './environment.ts'

export interface FlagSpec {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly default?: string
  readonly help: string
}

/** Flags that every command has. */
export const LOG_FLAGS: Readonly<Record<string, FlagSpec>> = {
  help: { type: 'boolean', short: 'h', help: 'Show this text' },
  log_as_json: { type: 'boolean', help: 'Write log entries as JSON' },
  log_output_level: { type: 'string', help: 'Levels by scope: level, or scope:level,scope:level' },
  log_caller: { type: 'string', help: 'Accepted and without effect' },
  log_stacktrace_level: { type: 'string', default: 'default:none', help: 'Accepted and without effect' },
  log_target: { type: 'string', help: 'Accepted and without effect; logs go to standard error' },
  vklog: { type: 'string', help: 'Accepted and without effect' },
}

export const PROXY_FLAGS: Readonly<Record<string, FlagSpec>> = {
  concurrency: { type: 'string', help: 'Worker threads of Envoy; 0 for one a core' },
  domain: { type: 'string', help: 'DNS domain of the proxy, such as shop.svc.cluster.local' },
  meshConfig: { type: 'string', default: './etc/istio/config/mesh', help: 'File of the mesh configuration' },
  outlierLogPath: { type: 'string', help: 'File that Envoy logs ejected hosts to' },
  profiling: { type: 'string', default: 'true', help: 'Accepted and without effect' },
  proxyComponentLogLevel: { type: 'string', default: 'misc:error', help: 'Log levels of parts of Envoy' },
  proxyLogLevel: { type: 'string', default: 'warning', help: "Envoy's log level" },
  serviceCluster: { type: 'string', default: 'istio-proxy', help: 'Name of the service that the proxy stands for' },
  stsPort: { type: 'string', default: '0', help: 'Accepted and without effect' },
  templateFile: { type: 'string', help: 'Bootstrap configuration, as JSON, to use in place of the built-in one' },
  tokenManagerPlugin: { type: 'string', help: 'Accepted and without effect' },
}

export const WAIT_FLAGS: Readonly<Record<string, FlagSpec>> = {
  periodMillis: { type: 'string', default: '500', help: 'Milliseconds between attempts' },
  requestTimeoutMillis: { type: 'string', default: '500', help: 'Milliseconds that one attempt may take' },
  timeoutSeconds: { type: 'string', default: '60', help: 'Seconds until giving up' },
  url: { type: 'string', default: 'http://localhost:15021/healthz/ready', help: 'What must answer 200' },
}

export const REQUEST_FLAGS: Readonly<Record<string, FlagSpec>> = {
  'debug-port': { type: 'string', default: '15000', help: 'Port to send the request to' },
}

export interface ParsedFlags {
  readonly values: Readonly<Record<string, string>>
  readonly positionals: readonly string[]
  readonly help: boolean
  /** Whether the flag was given and is not at its default. */
  has(name: string): boolean
}

/**
 * Parses arguments by a table of flags.
 *
 * @throws SettingError for an unknown flag or a missing value
 */
export function parseFlags(args: readonly string[], spec: Readonly<Record<string, FlagSpec>>): ParsedFlags {
  const all = { ...LOG_FLAGS, ...spec }
  const options = Object.fromEntries(
    Object.entries(all).map(([name, flag]) => [name, { type: flag.type, ...(flag.short ? { short: flag.short } : {}) }]),
  )
  try {
    const { values, positionals } = parseArgs({ args: joinBooleans(args), options, allowPositionals: true, strict: true })
    const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
    const defaults = Object.fromEntries(
      Object.entries(all).flatMap(([name, flag]) => (flag.default === undefined ? [] : [[name, flag.default]])),
    )
    return { values: { ...defaults, ...given }, positionals, help: values.help === true, has: (name) => name in given }
  } catch (error) {
    throw new SettingError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** `--log_as_json=true` is Go's way; node:util takes a boolean flag without a value only. */
function joinBooleans(args: readonly string[]): string[] {
  return args.flatMap((arg) => (arg === '--log_as_json=true' ? ['--log_as_json'] : arg === '--log_as_json=false' ? [] : [arg]))
}

/** The help text of a command. */
export function helpText(usage: string, spec: Readonly<Record<string, FlagSpec>>): string {
  const lines = Object.entries({ ...spec, ...LOG_FLAGS }).map(([name, flag]) => {
    const left = `${flag.short ? `-${flag.short}, ` : '    '}--${name}${flag.type === 'string' ? ' <value>' : ''}`
    return `  ${left.padEnd(40)} ${flag.help}${flag.default ? ` (default ${flag.default})` : ''}`
  })
  return `Usage: ${usage}\n\nFlags:\n${lines.join('\n')}\n`
}
