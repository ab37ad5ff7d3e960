/** What a proxy does by itself for the connections of a cluster: read off the cluster's transport sockets. */
import { at, list, text } from '../../config-dump/fields.ts'

/** `automatic`: mutual TLS to those servers that can take it, plain text to the others. */
export type ClientTls = 'ISTIO_MUTUAL' | 'automatic' | 'MUTUAL' | 'SIMPLE' | 'DISABLE'

/** Name of the secret that holds the workload's own certificate. */
const OWN_CERTIFICATE = 'default'

export function clientTls(cluster: unknown): ClientTls {
  const matches = list(at(cluster, 'transport_socket_matches'))
  const own = matches.find((match) => text(at(match, 'match', 'tlsMode')) === 'istio')
  if (own) return matches.some((match) => !isTls(at(match, 'transport_socket'))) ? 'automatic' : 'ISTIO_MUTUAL'
  const socket = matches.length > 0 ? at(matches[0], 'transport_socket') : at(cluster, 'transport_socket')
  return isTls(socket) ? modeOf(socket) : 'DISABLE'
}

const isTls = (socket: unknown): boolean => text(at(socket, 'typed_config', '@type')).endsWith('UpstreamTlsContext')

function modeOf(socket: unknown): ClientTls {
  const context = at(socket, 'typed_config', 'common_tls_context')
  const secrets = list(at(context, 'tls_certificate_sds_secret_configs')).map((config) => text(at(config, 'name')))
  if (secrets.includes(OWN_CERTIFICATE)) return 'ISTIO_MUTUAL'
  return secrets.length > 0 || list(at(context, 'tls_certificates')).length > 0 ? 'MUTUAL' : 'SIMPLE'
}
