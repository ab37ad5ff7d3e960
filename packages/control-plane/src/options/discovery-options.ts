/** What the control plane was told by flags and environment; read once, at the start. */
import { isIPv6 } from 'node:net'
import { parseDuration, TLS_LIMITS, TLS_POLICIES, TLS_POLICY_VARIABLE, type TlsPolicy, type TlsProtocolVersion } from '@lateen/base'
import type { ConnectionLimits } from '@lateen/base/connections'
import type { KeyKind } from '@lateen/ca'
import { type MeshSwitches, switchesFrom } from '@lateen/model'
import { CONNECTION_LIMITS } from '@lateen/xds'
import type { WorkloadEntryOptions } from '../workload-entries/registry.ts'
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
    readonly controlZ: Address | undefined
  }
  readonly tls: {
    readonly certFile: string | undefined
    readonly keyFile: string | undefined
    readonly caCertFile: string | undefined
    readonly minVersion: TlsProtocolVersion
    readonly maxVersion: TlsProtocolVersion
    /** Names of OpenSSL's; none for Node's own choice, as with groups. */
    readonly ciphers: readonly string[]
    readonly groups: readonly string[]
    /** For all connections of this process, also those that it makes. */
    readonly policy: TlsPolicy | undefined
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
    /** Key of a root of our own. */
    readonly rootKey: KeyKind
    /** USE_CACERTS_FOR_SELF_SIGNED_CA: a root of our own is kept in Secret `cacerts`. */
    readonly keepInCacerts: boolean
    /** A root of our own is replaced when less of its life is left: 0 to 1; 0 for never. */
    readonly graceRatio: number
    /** A signer of the Kubernetes API that signs for workloads. */
    readonly external: { readonly signer: string; readonly signerDomain: string; readonly rootFile: string } | undefined
    /** A signer of the Kubernetes API that signs for the control plane itself. */
    readonly serverSigner: string | undefined
    readonly audiences: readonly string[]
    readonly rootConfigMap: string
    /** ConfigMap of revocation lists; they are not distributed where PILOT_ENABLE_CA_CRL is false. */
    readonly crlConfigMap: string
    readonly revocation: boolean
    readonly customHost: string | undefined
  }
  readonly xds: {
    readonly authenticate: boolean
    readonly authenticatePlaintext: 'always' | 'outside' | 'never'
    readonly checkIdentity: boolean
    readonly maxRequestsPerSecond: number
    /** Of each of the two ports. */
    readonly connections: Pick<ConnectionLimits, 'total' | 'unproven' | 'unprovenPerAddress' | 'proofMs'>
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
  readonly workloadEntries: WorkloadEntryOptions
  /** What else the environment says of what proxies get. */
  readonly translation: Partial<MeshSwitches>
  readonly gateways: {
    /** Gateways concern only workloads of their own namespace. */
    readonly ofOwnNamespace: boolean
    readonly http3: boolean
  }
  /** Whose status is written: of the Gateway API's objects; addresses that hosts of ServiceEntries are given. */
  readonly statuses: { readonly gatewayApi: boolean; readonly autoAddresses: boolean }
  /** Findings of analysis are written to the status of Istio's objects, so often at most; undefined where they are not. */
  readonly analysisIntervalMs: number | undefined
  readonly gatewayApi: {
    /** Gateways get Deployments and Services of their own. */
    readonly deploys: boolean
    /** GatewayClasses are made where they are missing. */
    readonly keepsClasses: boolean
    readonly copiesMetadata: boolean
  }
  readonly debug: { readonly onHttp: boolean; readonly authenticate: boolean; readonly namespaces: readonly string[] }
  readonly injection: { readonly enabled: boolean; readonly webhookName: string; readonly env: Readonly<Record<string, string>> }
  readonly validationWebhookName: string
  /** Objects are compared with the others when they are applied, for warnings. */
  readonly validationWarnings: boolean
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
      ...tlsOptions(values, environment.choice(TLS_POLICY_VARIABLE, TLS_POLICIES)),
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
      rootKey: rootKeyKind(environment.text('CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE', '')),
      keepInCacerts: environment.boolean('USE_CACERTS_FOR_SELF_SIGNED_CA', false),
      graceRatio: rootGraceRatio(environment),
      external: externalCa(environment),
      serverSigner: serverSigner(environment.text('PILOT_CERT_PROVIDER', 'istiod')),
      audiences: list(environment.text('TOKEN_AUDIENCES', 'istio-ca')),
      rootConfigMap: environment.text('PILOT_CA_CERT_CONFIGMAP', 'istio-ca-root-cert'),
      crlConfigMap: environment.text('PILOT_CRL_CONFIGMAP', 'istio-ca-crl'),
      revocation: environment.boolean('PILOT_ENABLE_CA_CRL', true),
      customHost: environment.text('ISTIOD_CUSTOM_HOST', '') || undefined,
    },
    xds: xdsOptions(environment, env),
    policies: policyOptions(environment),
    workloadEntries: workloadEntryOptions(environment),
    translation: switchesFrom(environment),
    gateways: {
      ofOwnNamespace: environment.boolean('PILOT_SCOPE_GATEWAY_TO_NAMESPACE', false),
      http3: environment.boolean('PILOT_ENABLE_QUIC_LISTENERS', false),
    },
    gatewayApi: gatewayApiOptions(environment),
    analysisIntervalMs: environment.boolean('PILOT_ENABLE_ANALYSIS', false)
      ? environment.duration('PILOT_ANALYSIS_INTERVAL', 10_000)
      : undefined,
    statuses: {
      gatewayApi: environment.boolean('PILOT_ENABLE_GATEWAY_API', true) && environment.boolean('PILOT_ENABLE_GATEWAY_API_STATUS', true),
      autoAddresses: environment.boolean('PILOT_ENABLE_IP_AUTOALLOCATE', true),
    },
    debug: debugOptions(environment),
    injection: {
      enabled: environment.boolean('INJECT_ENABLED', true),
      webhookName: environment.text('INJECTION_WEBHOOK_CONFIG_NAME', 'istio-sidecar-injector'),
      env: Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    },
    validationWarnings: environment.boolean('LATEEN_VALIDATION_WARNINGS', true),
    validationWebhookName: environment.text('VALIDATION_WEBHOOK_CONFIG_NAME', 'istio-istio-system'),
    leaderElection: environment.boolean('ENABLE_LEADER_ELECTION', true),
  }
}

/** A policy stands above the flags. */
function tlsOptions(values: ParsedFlags['values'], policy: TlsPolicy | undefined) {
  const minVersion = values['tls-min-version'].replace(/^TLSV?/i, '')
  if (minVersion !== '1.2' && minVersion !== '1.3')
    throw new UsageError(`--tls-min-version: "${values['tls-min-version']}" is neither 1.2 nor 1.3`)
  const flags = { minVersion: `TLSv${minVersion}`, maxVersion: 'TLSv1.3', ciphers: list(values['tls-cipher-suites']), groups: [] } as const
  return { policy, ...(policy ? TLS_LIMITS[policy] : flags) }
}

function xdsOptions(environment: ReturnType<typeof environmentReader>, env: NodeJS.ProcessEnv): DiscoveryOptions['xds'] {
  return {
    authenticate: environment.boolean('XDS_AUTH', true),
    authenticatePlaintext: plaintextRule(env.XDS_AUTH_PLAINTEXT, environment.boolean('XDS_AUTH_PLAINTEXT', false)),
    checkIdentity: environment.boolean('PILOT_ENABLE_XDS_IDENTITY_CHECK', true),
    maxRequestsPerSecond: environment.number('PILOT_MAX_REQUESTS_PER_SECOND', 0),
    connections: {
      total: environment.count('LATEEN_MAX_CONNECTIONS', CONNECTION_LIMITS.total),
      unproven: environment.count('LATEEN_MAX_UNPROVEN_CONNECTIONS', CONNECTION_LIMITS.unproven),
      unprovenPerAddress: environment.count('LATEEN_MAX_UNPROVEN_CONNECTIONS_PER_ADDRESS', CONNECTION_LIMITS.unprovenPerAddress),
      proofMs: environment.duration('LATEEN_PROOF_TIMEOUT', CONNECTION_LIMITS.proofMs),
    },
  }
}

/** Unset differs from `false`: only who says so serves the plaintext port to anyone. */
function plaintextRule(text: string | undefined, value: boolean): DiscoveryOptions['xds']['authenticatePlaintext'] {
  if (!text) return 'outside'
  return value ? 'always' : 'never'
}

/** The root is looked at whenever something changes and once a minute; an interval of none or less than that turns its replacement off. */
function rootGraceRatio({ number, duration }: ReturnType<typeof environmentReader>): number {
  if (duration('CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL', 3_600_000) <= 0) return 0
  return number('CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE', 20) / 100
}

/** ECDSA P-256, unless RSA is asked for by its size. */
function rootKeyKind(bits: string): KeyKind {
  switch (bits) {
    case '':
      return 'ecdsa-p256'
    case '2048':
    case '3072':
    case '4096':
      return `rsa-${bits}`
    default:
      throw new UsageError(`CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE: "${bits}" is not a size of keys that are made; use 2048, 3072 or 4096`)
  }
}

/** `ISTIOD_RA_KUBERNETES_API` is the one kind of registration authority that there is. */
function externalCa({ text }: ReturnType<typeof environmentReader>): DiscoveryOptions['ca']['external'] {
  const kind = text('EXTERNAL_CA', '')
  if (kind === '') return undefined
  if (kind !== 'ISTIOD_RA_KUBERNETES_API') throw new UsageError(`EXTERNAL_CA: "${kind}" is not known; use ISTIOD_RA_KUBERNETES_API`)
  const [signer, signerDomain] = [text('K8S_SIGNER', ''), text('CERT_SIGNER_DOMAIN', '')]
  if (signer === '' && signerDomain === '') {
    throw new UsageError('EXTERNAL_CA needs a signer: set K8S_SIGNER to its name, or CERT_SIGNER_DOMAIN for proxies to choose')
  }
  return { signer, signerDomain, rootFile: './etc/external-ca-cert/root-cert.pem' }
}

/** `k8s.io/<name>` is a signer; with all others files are used where they are mounted, and else the mesh's own CA signs. */
function serverSigner(provider: string): string | undefined {
  if (provider === 'kubernetes')
    throw new UsageError('PILOT_CERT_PROVIDER: Kubernetes signs for nobody by itself any more; use istiod, or k8s.io/<name of a signer>')
  if (['istiod', 'custom', 'none'].includes(provider)) return undefined
  const [, signer] = /^k8s\.io\/(.+)$/.exec(provider) ?? []
  if (signer) return signer
  throw new UsageError(`PILOT_CERT_PROVIDER: "${provider}" is not known; use istiod, or k8s.io/<name of a signer>`)
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

function policyOptions(environment: ReturnType<typeof environmentReader>): DiscoveryOptions['policies'] {
  return {
    keysFetchedBy: keyFetcher(environment.text('PILOT_JWT_ENABLE_REMOTE_JWKS', 'false')),
    severalAuthorizers: environment.boolean('PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS', false),
    keys: {
      refreshMs: environment.duration('PILOT_JWT_PUB_KEY_REFRESH_INTERVAL', 20 * 60_000),
      insecure: environment.boolean('JWKS_RESOLVER_INSECURE_SKIP_VERIFY', false),
      blocked: list(environment.text('BLOCKED_CIDRS_IN_JWKS_URIS', '')),
      allowed: list(environment.text('LATEEN_JWKS_ALLOWED_CIDRS', '')),
    },
  }
}

function workloadEntryOptions(environment: ReturnType<typeof environmentReader>): DiscoveryOptions['workloadEntries'] {
  return {
    register: environment.boolean('PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION', true),
    healthChecks: environment.boolean('PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS', true),
    checkIdentity: environment.boolean('ISTIO_WORKLOAD_ENTRY_VALIDATE_IDENTITY', true),
    graceMs: environment.duration('PILOT_WORKLOAD_ENTRY_GRACE_PERIOD', 10_000),
  }
}

function debugOptions(environment: ReturnType<typeof environmentReader>): DiscoveryOptions['debug'] {
  return {
    onHttp: environment.boolean('ENABLE_DEBUG_ON_HTTP', true),
    authenticate: environment.boolean('ENABLE_DEBUG_ENDPOINT_AUTH', true),
    namespaces: list(environment.text('DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES', '')),
  }
}

function gatewayApiOptions(environment: ReturnType<typeof environmentReader>): DiscoveryOptions['gatewayApi'] {
  const enabled = environment.boolean('PILOT_ENABLE_GATEWAY_API', true)
  return {
    deploys: enabled && environment.boolean('PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER', true),
    keepsClasses: enabled && environment.boolean('PILOT_ENABLE_GATEWAY_API_GATEWAYCLASS_CONTROLLER', true),
    copiesMetadata: environment.boolean('PILOT_ENABLE_GATEWAY_API_COPY_LABELS_ANNOTATIONS', true),
  }
}

function listenAddresses({ values }: ParsedFlags): DiscoveryOptions['listen'] {
  return {
    grpc: parseAddress('grpcAddr', values.grpcAddr),
    secureGrpc: parseAddress('secureGRPCAddr', values.secureGRPCAddr),
    http: parseAddress('httpAddr', values.httpAddr),
    https: parseAddress('httpsAddr', values.httpsAddr),
    monitoring: parseAddress('monitoringAddr', values.monitoringAddr),
    controlZ: controlZAddress(values.ctrlz_address, values.ctrlz_port),
  }
}

/** In some containers `localhost` is an IPv6 address alone, where forwarded ports are not looked for. */
function controlZAddress(host: string, port: string): Address | undefined {
  if (port === '0') return undefined
  const plain = host === 'localhost' || host === '' ? '127.0.0.1' : host
  return parseAddress('ctrlz_address', `${isIPv6(plain) ? `[${plain}]` : plain}:${port}`)
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
    count: (name: string, fallback: number): number => {
      const value = text(name, String(fallback))
      if (!/^[1-9]\d{0,8}$/.test(value)) throw new UsageError(`${name}: "${value}" is not a count; give a whole number from 1 on`)
      return Number(value)
    },
    choice: <T extends string>(name: string, values: readonly T[]): T | undefined => {
      const value = text(name, '')
      const found = values.find((known) => known === value)
      if (value !== '' && found === undefined) throw new UsageError(`${name}: "${value}" is not known; use one of ${values.join(', ')}`)
      return found
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
