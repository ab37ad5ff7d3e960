/**
 * Everything that the agent is told, from flags, environment, files and the downward API, checked and in one value.
 *
 * This is the only place that reads the environment.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { availableParallelism, hostname, networkInterfaces } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { TLS_POLICIES, TLS_POLICY_VARIABLE, type TlsPolicy } from '@lateen/base'
import type { KeyKind } from '@lateen/ca'
import { booleanOf, choiceOf, durationOf, durationText, type Environment, numberOf, SettingError, textOf } from './environment.ts'
import type { ParsedFlags } from './flags.ts'
import { type PodInfo, readPodInfo } from './pod-info.ts'
import { configNumber, configText, DEFAULTS, metadataOf, type ProxyConfig, readProxyConfig } from './proxy-config.ts'

export type Role = 'sidecar' | 'router'

export interface AgentSettings {
  readonly role: Role
  readonly env: Environment
  readonly pod: PodInfo
  readonly proxyConfig: ProxyConfig
  readonly name: string
  readonly namespace: string
  readonly serviceAccount: string
  readonly ips: readonly string[]
  /** `shop.svc.cluster.local`. */
  readonly dnsDomain: string
  readonly trustDomain: string
  readonly clusterId: string
  readonly ports: { readonly admin: number; readonly status: number; readonly prometheus: number; readonly envoyStatus: number }
  readonly files: AgentFiles
  readonly envoy: EnvoySettings
  readonly certificates: CertificateSettings
  readonly discovery: DiscoverySettings
  readonly dns: { readonly enabled: boolean; readonly address: string; readonly timeoutMs: number }
  readonly drain: DrainSettings
  /** For all TLS of this process and of Envoy's own clients. */
  readonly tlsPolicy: TlsPolicy | undefined
  /** Socket mark of the proxy's traffic, where capture cannot tell it by its user id. */
  readonly mark?: number
}

export interface AgentFiles {
  /** `./etc/istio/proxy`. */
  readonly configFolder: string
  readonly bootstrap: string
  readonly xdsSocket: string
  readonly sdsSocket: string
  readonly resolvConf: string
}

export interface EnvoySettings {
  readonly binary: string
  readonly concurrency: number
  readonly logLevel: string
  readonly componentLogLevel: string
  readonly logAsJson: boolean
  readonly drainDurationMs: number
  readonly outlierLogPath?: string
  readonly template?: string
  readonly override?: string
}

export interface CertificateSettings {
  readonly caAddress: string
  readonly serverName: string
  readonly rootFile?: string
  /** Revocation lists mounted beside, of ConfigMap `istio-ca-crl`; need not be there. */
  readonly crlFile: string
  readonly tokenFile: string
  readonly key: KeyKind
  readonly ttlMs: number
  readonly graceRatio: number
  readonly jitterRatio: number
  /** Folder of mounted certificates to use in place of the CA. */
  readonly mountedFolder?: string
  /** Folder of a certificate to ask with where there is no token. */
  readonly provisionedFolder?: string
  /** Folder to write the certificates to, for the application. */
  readonly outputFolder?: string
  readonly lastGoodFile?: string
}

export interface DiscoverySettings {
  readonly address: string
  readonly serverName: string
  readonly rootFile?: string
  /** No TLS: `controlPlaneAuthPolicy: NONE`. */
  readonly plaintext: boolean
  readonly sendToken: boolean
}

export interface DrainSettings {
  readonly terminationMs: number
  readonly untilIdle: boolean
  readonly minimumMs: number
  /** There is an application whose end is to be waited for, where its end is not what ends the proxy. */
  readonly besideApplication: boolean
}

/** The folder of mounted certificates with FILE_MOUNTED_CERTS. */
const MOUNTED_CERTS = './etc/certs'
const ROOT_FILE = './var/run/secrets/istio/root-cert.pem'
const CRL_FILE = './var/run/secrets/istio/crl/ca-crl.pem'
const TOKEN_FILE = './var/run/secrets/tokens/istio-token'
const SDS_FOLDER = './var/run/secrets/workload-spiffe-uds'
const POD_INFO = './etc/istio/pod'

/**
 * Reads it all.
 *
 * @param cwd the folder that relative paths start from
 * @throws SettingError naming the setting
 */
export async function readSettings(role: Role, flags: ParsedFlags, processEnv: Environment, cwd: string): Promise<AgentSettings> {
  const at = (path: string) => resolve(cwd, path)
  const pod = await readPodInfo(at(POD_INFO))
  const proxyConfig = await readProxyConfig(at(flags.values.meshConfig ?? ''), processEnv, pod.annotations['proxy.istio.io/config'])
  // proxyMetadata is environment by another road; the real environment wins.
  const env: Environment = { ...metadataOf(proxyConfig), ...processEnv }
  const namespace = textOf(env, 'POD_NAMESPACE') ?? 'default'
  const ips = addresses(env)
  const mark = proxyMark(env)
  const configFolder = at(configText(proxyConfig, 'configPath'))
  return {
    role,
    env,
    pod,
    proxyConfig,
    namespace,
    ips,
    name: textOf(env, 'POD_NAME') ?? hostname(),
    serviceAccount: textOf(env, 'SERVICE_ACCOUNT') ?? 'default',
    dnsDomain: dnsDomain(flags.values.domain, namespace),
    trustDomain: textOf(env, 'TRUST_DOMAIN') ?? 'cluster.local',
    clusterId: textOf(env, 'ISTIO_META_CLUSTER_ID') ?? textOf(env, 'CLUSTER_ID') ?? 'Kubernetes',
    ports: {
      admin: configNumber(proxyConfig, 'proxyAdminPort'),
      status: configNumber(proxyConfig, 'statusPort'),
      prometheus: port(env, 'ENVOY_PROMETHEUS_PORT', 15090),
      envoyStatus: port(env, 'ENVOY_STATUS_PORT', 15021),
    },
    files: {
      configFolder,
      bootstrap: join(configFolder, 'envoy-rev.json'),
      xdsSocket: join(configFolder, 'XDS'),
      sdsSocket: join(at(SDS_FOLDER), textOf(env, 'WORKLOAD_IDENTITY_SOCKET_FILE') ?? 'socket'),
      resolvConf: '/etc/resolv.conf',
    },
    envoy: envoySettings(flags, env, proxyConfig, at),
    certificates: certificateSettings(env, proxyConfig, configFolder, at),
    discovery: discoverySettings(env, proxyConfig, at),
    dns: {
      enabled: booleanOf(env, 'ISTIO_META_DNS_CAPTURE', false),
      address: textOf(env, 'DNS_PROXY_ADDR') ?? 'localhost:15053',
      timeoutMs: durationOf(env, 'DNS_FORWARD_TIMEOUT', 5000),
    },
    drain: {
      terminationMs: durationText(configText(proxyConfig, 'terminationDrainDuration'), 'terminationDrainDuration'),
      untilIdle: booleanOf(env, 'EXIT_ON_ZERO_ACTIVE_CONNECTIONS', false),
      minimumMs: durationOf(env, 'MINIMUM_DRAIN_DURATION', 5000),
      besideApplication:
        role === 'sidecar' && textOf(env, 'ISTIO_META_APP_CONTAINERS') !== undefined && booleanOf(env, 'LATEEN_OUTLIVE_APPLICATION', true),
    },
    tlsPolicy: choiceOf(env, TLS_POLICY_VARIABLE, TLS_POLICIES),
    ...(mark === undefined ? {} : { mark }),
  }
}

const port = (env: Environment, name: string, fallback: number) => numberOf(env, name, fallback, { min: 1, max: 65535 })

/** INSTANCE_IP, and this machine's other addresses; Istio's order: IPv4 first unless the instance's own is IPv6. */
function addresses(env: Environment): string[] {
  const own = (env.INSTANCE_IP ?? '').split(',').filter((ip) => isIP(ip) !== 0)
  const found = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((address) => !address.internal && !(isIPv6(address.address) && address.address.startsWith('fe80:')))
    .map((address) => address.address)
  const all = [...new Set([...own, ...found])]
  return all.length > 0 ? all : ['127.0.0.1']
}

function dnsDomain(flag: string | undefined, namespace: string): string {
  // The injected argument is `$(POD_NAMESPACE).svc.cluster.local`; the variable stays literal where nothing expands it.
  const domain = (flag ?? '').replaceAll('$(POD_NAMESPACE)', namespace).replace(/^\.+|\.+$/g, '')
  return domain || `${namespace}.svc.cluster.local`
}

/** A namespace with one mapped user id has no user 1337 that capture could go by; there the proxy marks its sockets. */
function proxyMark(env: Environment): number | undefined {
  if (env.LATEEN_PROXY_MARK) return numberOf(env, 'LATEEN_PROXY_MARK', 1337, { min: 1, max: 0xffffffff })
  const ranges = readText('/proc/self/uid_map')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const mapped = ranges.some(([start = 0, , count = Number.POSITIVE_INFINITY]) => start <= 1337 && 1337 < start + count)
  return mapped ? undefined : 1337
}

function envoySettings(flags: ParsedFlags, env: Environment, config: ProxyConfig, at: (path: string) => string): EnvoySettings {
  const { values } = flags
  const override = textOf(env, 'ISTIO_BOOTSTRAP_OVERRIDE')
  const template = values.templateFile ?? textOf(env, 'ISTIO_BOOTSTRAP')
  return {
    binary: findEnvoy(env, at(configText(config, 'binaryPath'))),
    concurrency: concurrency(values.concurrency, env, config),
    logLevel: values.proxyLogLevel ?? 'warning',
    componentLogLevel: values.proxyComponentLogLevel ?? '',
    logAsJson: values.log_as_json === 'true',
    drainDurationMs: durationText(configText(config, 'drainDuration'), 'drainDuration'),
    ...(values.outlierLogPath ? { outlierLogPath: values.outlierLogPath } : {}),
    ...(template ? { template: at(template) } : {}),
    ...(override ? { override: at(override) } : {}),
  }
}

/** 0 is one a core; ISTIO_CPU_LIMIT is the container's limit in cores. */
function concurrency(flag: string | undefined, env: Environment, config: ProxyConfig): number {
  const asked = flag === undefined ? configNumber(config, 'concurrency') : Number(flag)
  if (!Number.isInteger(asked) || asked < 0 || asked > 1024) throw new SettingError(`--concurrency=${flag} is not a number from 0 to 1024`)
  if (asked > 0) return asked
  return Math.ceil(numberOf(env, 'ISTIO_CPU_LIMIT', 0, { min: 0, max: 4096 })) || availableParallelism()
}

/**
 * ENVOY_PATH, the configured path, then PATH.
 *
 * @throws SettingError saying where it was looked for
 */
function findEnvoy(env: Environment, configured: string): string {
  const candidates = [env.ENVOY_PATH, configured, ...(env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'envoy'))]
  const found = candidates.find((path) => path && existsSync(path))
  if (found) return found
  throw new SettingError(`Envoy was not found: looked at ENVOY_PATH, ${configured} and in PATH; set ENVOY_PATH to the binary`)
}

function certificateSettings(
  env: Environment,
  config: ProxyConfig,
  configFolder: string,
  at: (path: string) => string,
): CertificateSettings {
  const caAddress = textOf(env, 'CA_ADDR') ?? configText(config, 'discoveryAddress')
  const rootFile = rootOf(textOf(env, 'CA_ROOT_CA'), at)
  const mounted = booleanOf(env, 'FILE_MOUNTED_CERTS', false)
  const provisioned = textOf(env, 'PROV_CERT')
  const output = textOf(env, 'OUTPUT_CERTS')
  return {
    caAddress: checkAddress(caAddress, 'CA_ADDR'),
    serverName: textOf(env, 'ISTIOD_SAN') ?? hostOf(caAddress),
    crlFile: at(CRL_FILE),
    tokenFile: at(TOKEN_FILE),
    key: keyKind(env),
    ttlMs: durationOf(env, 'SECRET_TTL', 24 * 3_600_000),
    graceRatio: numberOf(env, 'SECRET_GRACE_PERIOD_RATIO', 0.5, { min: 0, max: 1 }),
    jitterRatio: numberOf(env, 'SECRET_GRACE_PERIOD_RATIO_JITTER', 0.01, { min: 0, max: 1 }),
    ...(rootFile ? { rootFile } : {}),
    ...(mounted ? { mountedFolder: at(MOUNTED_CERTS) } : {}),
    ...(provisioned ? { provisionedFolder: at(provisioned) } : {}),
    ...(output ? { outputFolder: at(output) } : {}),
    ...(booleanOf(env, 'LATEEN_KEEP_CERTIFICATE', true) ? { lastGoodFile: join(configFolder, 'last-good', 'identity.json') } : {}),
  }
}

/** ECDSA P-256 unless RSA is asked for by its size. */
function keyKind(env: Environment): KeyKind {
  if (env.ECC_SIGNATURE_ALGORITHM) return env.ECC_CURVE === 'P384' ? 'ecdsa-p384' : 'ecdsa-p256'
  switch (env.WORKLOAD_RSA_KEY_SIZE) {
    case '2048':
    case '3072':
    case '4096':
      return `rsa-${env.WORKLOAD_RSA_KEY_SIZE}`
    default:
      return 'ecdsa-p256'
  }
}

function discoverySettings(env: Environment, config: ProxyConfig, at: (path: string) => string): DiscoverySettings {
  const address = configText(config, 'discoveryAddress')
  const rootFile = rootOf(textOf(env, 'XDS_ROOT_CA'), at)
  const plaintext = configText(config, 'controlPlaneAuthPolicy') === 'NONE'
  return {
    address: checkAddress(address, 'discoveryAddress'),
    serverName: textOf(env, 'ISTIOD_SAN') ?? hostOf(address),
    plaintext,
    sendToken: booleanOf(env, 'XDS_AUTH', true) && (!plaintext || booleanOf(env, 'XDS_AUTH_PLAINTEXT', false)),
    ...(rootFile ? { rootFile } : {}),
  }
}

/** `SYSTEM` is the machine's own roots. */
function rootOf(configured: string | undefined, at: (path: string) => string): string | undefined {
  return configured === 'SYSTEM' ? undefined : at(configured ?? ROOT_FILE)
}

function checkAddress(address: string, setting: string): string {
  if (/^(\[[0-9a-fA-F:.]+\]|[^:\s/]+):[0-9]{1,5}$/.test(address)) return address
  throw new SettingError(`${setting} is "${address}"; write host:port, as in ${DEFAULTS.discoveryAddress}`)
}

/** The host of `host:port`, without the brackets of IPv6. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
