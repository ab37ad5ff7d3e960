/** A call and its outcome. */

export type Protocol = 'http' | 'http2' | 'tcp'
export type ClientTls = 'plaintext' | 'tls' | 'mtls'

export interface Call {
  readonly name?: string
  /** Destination IP. */
  readonly address: string
  readonly port: number
  readonly protocol: Protocol
  readonly tls: ClientTls
  readonly hostHeader: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly path: string
  readonly sni: string
  /** Application protocol offered in the TLS handshake; empty for none. */
  readonly alpn: string
  readonly mode: 'inbound' | 'outbound' | 'gateway'
  /** Name of the secret that marks a filter chain of mesh mutual TLS. */
  readonly mtlsSecret: string
}

export type Failure =
  | 'no-listener'
  | 'no-filter-chain'
  | 'multiple-filter-chains'
  | 'tls-error'
  | 'mtls-error'
  | 'protocol-error'
  | 'no-virtual-host'
  | 'tls-redirect'
  | 'no-route'

/** What was reached, in the order of the way; fields after a failure are absent. */
export interface Outcome {
  readonly name?: string
  readonly error: Failure | null
  readonly listenerMatched?: string
  readonly filterChainMatched?: string
  readonly routeConfigMatched?: string
  readonly virtualHostMatched?: string
  readonly routeMatched?: string
  readonly clusterMatched?: string
}
