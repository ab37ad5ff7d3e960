/** What is traced: a connection and, when it carries HTTP, one request on it. */
import type { HttpRequest } from '../matching/request.ts'

export interface TraceCall {
  /** `inbound`: redirected to the listener for incoming traffic; `outbound`: captured; `gateway`: made to the listener's own socket. */
  readonly mode: 'inbound' | 'outbound' | 'gateway'
  readonly destination: { readonly address: string; readonly port: number }
  /** Address of the caller as the proxy sees it; conditions on it stay open when it is not known. */
  readonly sourceAddress?: string
  /** Address of the client as trusted proxies tell it (X-Forwarded-For); that of the caller when absent. */
  readonly clientAddress?: string
  readonly tls: 'plaintext' | 'tls' | 'mtls'
  readonly sni: string
  /** Application protocols offered, in order of preference. */
  readonly alpn: readonly string[]
  /** URI of the client certificate's subject, for mutual TLS: `spiffe://…`. */
  readonly principal?: string
  /** Absent for bytes that are no HTTP. */
  readonly request?: HttpRequest
  /** HTTP/2 without TLS is told apart by its preface. */
  readonly http2?: boolean
  /** Milliseconds since 1970: when tokens are looked at. Without it none counts as expired. */
  readonly now?: number
}
