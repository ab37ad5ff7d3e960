/** What the control plane was told by flags and environment; read once, at the start. */
import { isIPv6 } from 'node:net'
import { parseDuration } from '@lateen/base'
import { type ParsedFlags, parseFlags, UsageError } from './flags.ts'

/** Where to listen; no host means every address. */
export interface Address {
  readonly host: string | undefined
  readonly port: number
}

export interface DiscoveryOptions {
  readonly help: boolean
  readonly kubeconfig: string | undefined
  /** Whether services are read from Kubernetes. */
  readonly useKubernetes: boolean
  readonly configDir: string | undefined
  readonly clusterId: string
  readonly domain: string
  /** Namespace of the control plane, which is the root namespace unless the mesh configuration says otherwise. */
  readonly namespace: string
  readonly revision: string
  readonly podName: string | undefined
  readonly meshConfigFile: string
  readonly networksFile: string
  readonly log: { readonly levels: string; readonly json: boolean; readonly targets: readonly string[] }
  readonly listen: {
    readonly grpc: Address | undefined
    readonly secureGrpc: Address | undefined
    readonly http: Address | undefined
    readonly https: Address | undefined
    readonly monitoring: Address | undefined
  }
  readonly tls: {
    readonly certFile: string | undefined
    readonly keyFile: string | undefined
    readonly caCertFile: string | undefined
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
    readonly ciphers: readonly string[]
  }
  readonly keepalive: { readonly intervalMs: number; readonly timeoutMs: number; readonly maxAgeMs: number }
  readonly shutdownMs: number
  readonly debounce: { readonly quietMs: number | undefined; readonly maxMs: number | undefined }
  readonly ca: {
    readonly enabled: boolean
    readonly directory: string
    readonly defaultTtlMs: number
    readonly maxTtlMs: number
    readonly rootTtlMs: number
    readonly rsaBits: number
    readonly audiences: readonly string[]
    readonly rootConfigMap: string
    readonly customHost: string | undefined
  }
  readonly xds: {
    readonly authenticate: boolean
    readonly authenticatePlaintext: boolean
    readonly checkIdentity: boolean
    readonly maxRequestsPerSecond: number
  }
  readonly policies: {
    readonly keysFetchedBy: 'control-plane' | 'proxy-where-possible' | 'proxy'
    readonly severalAuthorizers: boolean
    /** How public keys are fetched. */
    readonly keys: {
      readonly refreshMs: number
      readonly insecure: boolean
      readonly blocked: readonly string[]
      readonly allowed: readonly string[]
    }
  }
  readonly gateways: {
    /** Gateways concern only workloads of their own namespace. */
    readonly ofOwnNamespace: boolean
    readonly http3: boolean
  }
  readonly debug: { readonly onHttp: boolean; readonly authenticate: boolean; readonly namespaces: readonly string[] }
  readonly injection: { readonly enabled: boolean; readonly webhookName: string; readonly env: Readonly<Record<string, string>> }
  readonly validationWebhookName: string
  readonly leaderElection: boolean
}

/** @throws UsageError naming flag or variable */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): DiscoveryOptions {
  const flags = parseFlags(argv)
  const { values } = flags
  const environment = environmentReader(env)
  const registries = list(values.registries)
  for (const registry of registries) {
    if (registry !== 'Kubernetes' && registry !== 'Mock')
      throw new UsageError(`--registries: "${registry}" is not known; use Kubernetes, or Mock for none`)
  }
  const minVersion = values['tls-min-version'].replace(/^TLSV?/i, '')
  if (minVersion !== '1.2' && minVersion !== '1.3')
    throw new UsageError(`--tls-min-version: "${values['tls-min-version']}" is neither 1.2 nor 1.3`)
  return {
    help: isTrue(values.help),
    kubeconfig: values.kubeconfig || undefined,
    useKubernetes:
      registries.includes('Kubernetes') && (values.configDir === '' || flags.given.has('registries') || flags.given.has('kubeconfig')),
    configDir: values.configDir || undefined,
    clusterId: flags.given.has('clusterID') ? values.clusterID : environment.text('CLUSTER_ID', values.clusterID),
    domain: values.domain,
    namespace: values.namespace || environment.text('POD_NAMESPACE', 'istio-system'),
    revision: environment.text('REVISION', '') || 'default',
    podName: environment.text('POD_NAME', '') || undefined,
    meshConfigFile: values.meshConfig,
    networksFile: values.networksConfig,
    log: { levels: values.log_output_level, json: isTrue(values.log_as_json), targets: list(values.log_target) },
    listen: listenAddresses(flags),
    tls: {
      certFile: values.tlsCertFile || undefined,
      keyFile: values.tlsKeyFile || undefined,
      caCertFile: values.caCertFile || undefined,
      minVersion: `TLSv${minVersion}`,
      ciphers: list(values['tls-cipher-suites']),
    },
    keepalive: {
      intervalMs: flagDuration(flags, 'keepaliveInterval'),
      timeoutMs: flagDuration(flags, 'keepaliveTimeout'),
      maxAgeMs: flagDuration(flags, 'keepaliveMaxServerConnectionAge'),
    },
    shutdownMs: flagDuration(flags, 'shutdownDuration'),
    debounce: { quietMs: environment.optionalDuration('PILOT_DEBOUNCE_AFTER'), maxMs: environment.optionalDuration('PILOT_DEBOUNCE_MAX') },
    ca: {
      enabled: environment.boolean('ENABLE_CA_SERVER', true),
      directory: environment.text('ROOT_CA_DIR', './etc/cacerts'),
      defaultTtlMs: environment.duration('DEFAULT_WORKLOAD_CERT_TTL', 24 * 3_600_000),
      maxTtlMs: environment.duration('MAX_WORKLOAD_CERT_TTL', 2160 * 3_600_000),
      rootTtlMs: environment.duration('CITADEL_SELF_SIGNED_CA_CERT_TTL', 87_600 * 3_600_000),
      rsaBits: environment.number('CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE', 2048),
      audiences: list(environment.text('TOKEN_AUDIENCES', 'istio-ca')),
      rootConfigMap: environment.text('PILOT_CA_CERT_CONFIGMAP', 'istio-ca-root-cert'),
      customHost: environment.text('ISTIOD_CUSTOM_HOST', '') || undefined,
    },
    xds: {
      authenticate: environment.boolean('XDS_AUTH', true),
      authenticatePlaintext: environment.boolean('XDS_AUTH_PLAINTEXT', false),
      checkIdentity: environment.boolean('PILOT_ENABLE_XDS_IDENTITY_CHECK', true),
      maxRequestsPerSecond: environment.number('PILOT_MAX_REQUESTS_PER_SECOND', 0),
    },
    policies: {
      keysFetchedBy: keyFetcher(environment.text('PILOT_JWT_ENABLE_REMOTE_JWKS', 'false')),
      severalAuthorizers: environment.boolean('PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS', false),
      keys: {
        refreshMs: environment.duration('PILOT_JWT_PUB_KEY_REFRESH_INTERVAL', 20 * 60_000),
        insecure: environment.boolean('JWKS_RESOLVER_INSECURE_SKIP_VERIFY', false),
        blocked: list(environment.text('BLOCKED_CIDRS_IN_JWKS_URIS', '')),
        allowed: list(environment.text('LATEEN_JWKS_ALLOWED_CIDRS', '')),
      },
    },
    gateways: {
      ofOwnNamespace: environment.boolean('PILOT_SCOPE_GATEWAY_TO_NAMESPACE', false),
      http3: environment.boolean('PILOT_ENABLE_QUIC_LISTENERS', false),
    },
    debug: {
      onHttp: environment.boolean('ENABLE_DEBUG_ON_HTTP', true),
      authenticate: environment.boolean('ENABLE_DEBUG_ENDPOINT_AUTH', true),
      namespaces: list(environment.text('DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES', '')),
    },
    injection: {
      enabled: environment.boolean('INJECT_ENABLED', true),
      webhookName: environment.text('INJECTION_WEBHOOK_CONFIG_NAME', 'istio-sidecar-injector'),
      env: Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    },
    validationWebhookName: environment.text('VALIDATION_WEBHOOK_CONFIG_NAME', 'istio-istio-system'),
    leaderElection: environment.boolean('ENABLE_LEADER_ELECTION', true),
  }
}

/** `false` and `istiod`, `true` and `hybrid`, `envoy`: what istiod's variable takes. */
function keyFetcher(text: string): DiscoveryOptions['policies']['keysFetchedBy'] {
  switch (text.toLowerCase()) {
    case 'false':
    case 'istiod':
      return 'control-plane'
    case 'true':
    case 'hybrid':
      return 'proxy-where-possible'
    case 'envoy':
      return 'proxy'
    default:
      throw new UsageError(`PILOT_JWT_ENABLE_REMOTE_JWKS: "${text}" is not known; use istiod, hybrid or envoy`)
  }
}

function listenAddresses({ values }: ParsedFlags): DiscoveryOptions['listen'] {
  return {
    grpc: parseAddress('grpcAddr', values.grpcAddr),
    secureGrpc: parseAddress('secureGRPCAddr', values.secureGRPCAddr),
    http: parseAddress('httpAddr', values.httpAddr),
    https: parseAddress('httpsAddr', values.httpsAddr),
    monitoring: parseAddress('monitoringAddr', values.monitoringAddr),
  }
}

/** `:15010`, `127.0.0.1:15010`, `[::1]:15010`; an empty text or port listens nowhere. */
function parseAddress(flag: string, text: string): Address | undefined {
  if (text === '') return undefined
  const match = /^(\[[^\]]+\]|[^:]*):(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (!match || port > 65_535) throw new UsageError(`--${flag}: "${text}" is not an address such as :15010 or 127.0.0.1:15010`)
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '')
  return { host: host === '' ? undefined : host, port }
}

/** An address as written in messages and URLs. */
export function formatAddress({ host, port }: Address): string {
  return `${host === undefined ? '' : isIPv6(host) ? `[${host}]` : host}:${port}`
}

function flagDuration(
  { values }: ParsedFlags,
  name: 'keepaliveInterval' | 'keepaliveTimeout' | 'keepaliveMaxServerConnectionAge' | 'shutdownDuration',
): number {
  const milliseconds = parseDuration(values[name])
  if (milliseconds === undefined) throw new UsageError(`--${name}: "${values[name]}" is not a duration such as 10s or 1h30m`)
  return milliseconds
}

function environmentReader(env: NodeJS.ProcessEnv) {
  const text = (name: string, fallback: string): string => env[name] || fallback
  const duration = (name: string, value: string): number => {
    const milliseconds = parseDuration(value)
    if (milliseconds === undefined) throw new UsageError(`${name}: "${value}" is not a duration such as 10s or 1h30m`)
    return milliseconds
  }
  return {
    text,
    boolean: (name: string, fallback: boolean): boolean => {
      const value = text(name, '')
      if (value === '') return fallback
      if (!/^(true|false|1|0|t|f)$/i.test(value)) throw new UsageError(`${name}: "${value}" is neither true nor false`)
      return isTrue(value)
    },
    number: (name: string, fallback: number): number => {
      const value = text(name, '')
      if (value === '') return fallback
      if (!Number.isFinite(Number(value))) throw new UsageError(`${name}: "${value}" is not a number`)
      return Number(value)
    },
    duration: (name: string, fallback: number): number => (env[name] ? duration(name, env[name]) : fallback),
    optionalDuration: (name: string): number | undefined => (env[name] ? duration(name, env[name]) : undefined),
  }
}

const isTrue = (text: string): boolean => /^(true|1|t)$/i.test(text)
const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
