/** Sockets to one API server with one identity: direct, or through a proxy. */
import http from 'node:http'
import https from 'node:https'
import { isIP, Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Connection } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { connectThroughSocks } from './socks.ts'

const TLS_TIMEOUT_MS = 30_000

export interface AgentOptions {
  readonly keepAlive: boolean
  readonly maxSockets: number
}

export function createAgent(connection: Connection, credentials: Credentials, options: AgentOptions): http.Agent {
  const { proxy } = connection
  const isSocks = proxy?.protocol.startsWith('socks5') === true
  // Node speaks to proxies of HTTP by itself; which servers it is for has been decided.
  const proxyEnv = proxy && !isSocks ? { proxyEnv: { HTTP_PROXY: proxy.href, HTTPS_PROXY: proxy.href } } : {}
  const isSecure = connection.server.protocol === 'https:'
  const agent = isSecure
    ? new https.Agent({ ...options, maxCachedSessions: 4, ...tlsOf(connection, credentials), ...proxyEnv })
    : new http.Agent({ ...options, ...proxyEnv })
  return proxy && isSocks ? throughSocks(agent, proxy, connection, credentials) : agent
}

/** Whom this side takes for the API server, and what it shows of itself. */
function tlsOf(connection: Connection, { certificate }: Credentials) {
  return {
    ...(connection.ca === undefined ? {} : { ca: connection.ca }),
    ...(connection.tlsServerName === undefined ? {} : { servername: connection.tlsServerName }),
    ...(certificate ? { cert: certificate.cert, key: certificate.key } : {}),
    rejectUnauthorized: !connection.insecureSkipTlsVerify,
  }
}

function throughSocks(agent: http.Agent, proxy: URL, connection: Connection, credentials: Credentials): http.Agent {
  const { server } = connection
  const host = server.hostname.replace(/^\[|\]$/g, '')
  const isSecure = server.protocol === 'https:'
  const port = Number(server.port || (isSecure ? 443 : 80))
  const open = async () => {
    const socket = await connectThroughSocks(proxy, host, port)
    if (!isSecure) return socket
    const tls = tlsOf(connection, credentials)
    // An address is no name that could be asked for.
    return secured(connectTls({ socket, host, ...(isIP(host) === 0 && { servername: host }), ...tls }))
  }
  agent.createConnection = (_options, callback) => {
    open().then(
      (socket) => callback?.(null, socket),
      // The type wants a socket where there is an error, too; nobody looks at it.
      (error: Error) => callback?.(error, new Socket()),
    )
    return undefined
  }
  return agent
}

/** @throws Error when the other end shows no certificate that is trusted, or says nothing: nobody else counts this time */
function secured(socket: TLSSocket): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const late = () => socket.destroy(Object.assign(new Error('no TLS handshake in time'), { code: 'ETIMEDOUT' }))
    socket.setTimeout(TLS_TIMEOUT_MS, late)
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.setTimeout(0)
      socket.off('timeout', late).off('error', reject)
      resolve(socket)
    })
  })
}
