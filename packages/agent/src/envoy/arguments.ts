/** Envoy's command line and environment. */
import { TLS_LIMITS } from '@lateen/base'
import type { AgentSettings } from '../settings/settings.ts'

/** Istio's log line; `%j` would be escaped text where a message may forge an entry. */
const TEXT_FORMAT = '%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t'
const JSON_FORMAT = '{"level":"%l","time":"%Y-%m-%dT%T.%fZ","scope":"envoy %n","msg":"%j"}'

export function envoyArguments(settings: AgentSettings): string[] {
  const { envoy, files, ips } = settings
  return [
    '-c',
    files.bootstrap,
    '--drain-time-s',
    String(Math.ceil(envoy.drainDurationMs / 1000)),
    '--drain-strategy',
    'immediate',
    '--local-address-ip-version',
    ips[0]?.includes(':') ? 'v6' : 'v4',
    '--file-flush-interval-msec',
    '1000',
    '--disable-hot-restart',
    '--allow-unknown-static-fields',
    '--skip-deprecated-logs',
    '-l',
    envoy.logLevel,
    ...(envoy.componentLogLevel ? ['--component-log-level', envoy.componentLogLevel] : []),
    '--log-format',
    envoy.logAsJson ? JSON_FORMAT : TEXT_FORMAT,
    '--concurrency',
    String(envoy.concurrency),
  ]
}

/** Its clients that are Google's gRPC library have no TLS contexts; they read which suites of TLS 1.2 to offer from a variable. */
export function envoyEnvironment({ env, tlsPolicy }: Pick<AgentSettings, 'env' | 'tlsPolicy'>): AgentSettings['env'] {
  const suites = tlsPolicy ? TLS_LIMITS[tlsPolicy].ciphers.filter((name) => !name.startsWith('TLS_')) : []
  return suites.length > 0 ? { ...env, GRPC_SSL_CIPHER_SUITES: suites.join(':') } : env
}
