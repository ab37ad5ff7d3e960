/** The flags of `pilot-discovery discovery`, as one table: parsing, defaults and help follow from it. */

/** Wrong use of the command line; the message is the whole help that is needed. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'USAGE'
}

type FlagType = 'string' | 'strings' | 'bool' | 'number' | 'duration'

interface Flag {
  readonly type: FlagType
  readonly default: string
  readonly short?: string
  readonly help: string
}

const flag = (type: FlagType, value: string, help: string, short?: string): Flag => ({
  type,
  default: value,
  help,
  ...(short ? { short } : {}),
})

export const DISCOVERY_FLAGS = {
  caCertFile: flag('string', '', 'PEM file of the roots against which client certificates are checked'),
  clusterAliases: flag('strings', '', 'other names of clusters, as name=alias'),
  clusterID: flag('string', 'Kubernetes', 'name of the cluster that this control plane runs in'),
  clusterRegistriesNamespace: flag('string', 'istio-system', 'namespace of the secrets that give access to other clusters'),
  cniNamespace: flag('string', 'istio-system', 'namespace of the CNI plugin'),
  configDir: flag('string', '', 'folder of YAML files to take the configuration from, in place of Kubernetes'),
  ctrlz_address: flag('string', 'localhost', 'address of the port where log levels are set'),
  ctrlz_port: flag('number', '9876', 'port where log levels are set while this runs; 0 for none'),
  domain: flag('string', 'cluster.local', 'DNS suffix of services'),
  grpcAddr: flag('string', ':15010', 'address of xDS in plain text; empty for none'),
  help: flag('bool', 'false', 'shows this text', 'h'),
  httpAddr: flag('string', ':8080', 'address of readiness and debug pages'),
  httpsAddr: flag('string', ':15017', 'address of the webhooks; empty for none'),
  keepaliveInterval: flag('duration', '30s', 'how often an idle xDS connection is probed'),
  keepaliveMaxServerConnectionAge: flag('duration', '2562047h47m16.854775807s', 'after what time a proxy is asked to connect anew'),
  keepaliveTimeout: flag('duration', '10s', 'how long a probe may stay unanswered'),
  kubeconfig: flag('string', '', 'kubeconfig file; else KUBECONFIG, the service account of the pod, or ~/.kube/config'),
  kubernetesApiBurst: flag('number', '160', 'accepted for compatibility; requests are bounded by connections'),
  kubernetesApiQPS: flag('number', '80', 'accepted for compatibility; requests are bounded by connections'),
  log_as_json: flag('bool', 'false', 'writes each log entry as a JSON object'),
  log_caller: flag('string', '', 'accepted for compatibility'),
  log_output_level: flag('string', '', 'log levels, as scope:level,scope:level'),
  log_stacktrace_level: flag('string', 'default:none', 'accepted for compatibility'),
  log_target: flag('strings', 'stdout', 'where log entries go: stdout, stderr or a file'),
  meshConfig: flag('string', './etc/istio/config/mesh', 'file of the mesh configuration; else the ConfigMap "istio"'),
  monitoringAddr: flag('string', ':15014', 'address of metrics, version and debug pages'),
  namespace: flag('string', '', 'namespace of the control plane', 'n'),
  networksConfig: flag('string', './etc/istio/config/meshNetworks', 'file of the mesh networks; else the ConfigMap "istio"'),
  profile: flag('bool', 'true', 'accepted for compatibility'),
  registries: flag('strings', 'Kubernetes', 'where services come from: Kubernetes, or Mock for none'),
  secureGRPCAddr: flag('string', ':15012', 'address of xDS and certificate signing over TLS; empty for none'),
  shutdownDuration: flag('duration', '10s', 'how long proxies are given to go elsewhere at the end'),
  'tls-cipher-suites': flag('strings', '', 'cipher suites of the TLS ports, by their IANA names'),
  'tls-min-version': flag('string', '1.2', 'least TLS version of the TLS ports: 1.2 or 1.3'),
  tlsCertFile: flag('string', '', 'PEM file of the certificate of the TLS ports; else signed by the own CA'),
  tlsKeyFile: flag('string', '', 'PEM file of its private key'),
  vklog: flag('number', '0', 'accepted for compatibility'),
} as const satisfies Record<string, Flag>

export type FlagName = keyof typeof DISCOVERY_FLAGS

/** Values as written; `given` names those that stood on the command line. */
export interface ParsedFlags {
  readonly values: Readonly<Record<FlagName, string>>
  readonly given: ReadonlySet<FlagName>
}

/**
 * Parses `--name value`, `--name=value`, `-n value` and bare boolean flags.
 *
 * @throws UsageError naming the flag
 */
export function parseFlags(argv: readonly string[]): ParsedFlags {
  const values = defaults()
  const given = new Set<FlagName>()
  const rest = [...argv]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (!argument.startsWith('-')) throw new UsageError(`unexpected argument "${argument}"; discovery takes flags only (see --help)`)
    const equals = argument.indexOf('=')
    const name = flagName(equals < 0 ? argument : argument.slice(0, equals))
    const { type } = DISCOVERY_FLAGS[name]
    const value = equals >= 0 ? argument.slice(equals + 1) : type === 'bool' ? 'true' : rest.shift()
    if (value === undefined) throw new UsageError(`flag --${name} needs a value`)
    checkValue(name, type, value)
    // A list may be given in parts; each part may be a list.
    values[name] = type === 'strings' && given.has(name) ? `${values[name]},${value}` : value
    given.add(name)
  }
  return { values, given }
}

function defaults(): Record<FlagName, string> {
  const values = Object.fromEntries(Object.entries(DISCOVERY_FLAGS).map(([name, { default: value }]) => [name, value]))
  // The entries are those of the table, whose keys are the flag names.
  return values as Record<FlagName, string>
}

function flagName(text: string): FlagName {
  const name = text.replace(/^--?/, '')
  const isShort = !text.startsWith('--')
  for (const [candidate, spec] of Object.entries(DISCOVERY_FLAGS)) {
    if (isShort ? 'short' in spec && spec.short === name : candidate === name) return candidate as FlagName
  }
  const near = Object.keys(DISCOVERY_FLAGS).find(
    (candidate) => candidate.toLowerCase() === name.toLowerCase().replaceAll('_', '-') || candidate.toLowerCase() === name.toLowerCase(),
  )
  throw new UsageError(`unknown flag: ${text}${near ? `; did you mean --${near}?` : ' (see --help)'}`)
}

function checkValue(name: string, type: FlagType, value: string): void {
  if (type === 'bool' && !/^(true|false|1|0|t|f)$/i.test(value)) throw new UsageError(`--${name}: "${value}" is neither true nor false`)
  if (type === 'number' && !/^-?\d+(\.\d+)?$/.test(value)) throw new UsageError(`--${name}: "${value}" is not a number`)
  if (type === 'duration' && !/^-?[\d.a-zµ]+$/.test(value)) throw new UsageError(`--${name}: "${value}" is not a duration such as 10s`)
}

/** The help text. */
export function flagHelp(): string {
  const rows = Object.entries(DISCOVERY_FLAGS).map(([name, spec]) => {
    const short = 'short' in spec ? `-${spec.short}, ` : '    '
    const shown = spec.default === '' || spec.type === 'bool' ? '' : ` (default ${spec.default})`
    return `  ${short}--${name}${spec.type === 'bool' ? '' : ` ${spec.type}`}`.padEnd(46) + spec.help + shown
  })
  return `Starts the control plane.\n\nUsage:\n  pilot-discovery discovery [flags]\n\nFlags:\n${rows.join('\n')}\n`
}
