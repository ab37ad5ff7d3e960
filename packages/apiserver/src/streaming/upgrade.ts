/**
 * Connections that leave HTTP: exec, attach and port-forward, over SPDY/3.1 and over WebSocket.
 *
 * Enters: an upgrade request of an authenticated user. Leaves: streams to and from the backend that runs the pod.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { SpdyConnection } from '@lateen/base/spdy'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import { refusal } from '../auth/rbac.ts'
import { badRequest, forbidden, notServed, StatusError } from '../errors.ts'
import { podOf } from '../handlers/review-services.ts'
import { type ApiServices, attributesOf } from '../http/api.ts'
import { type ApiRequest, parseResourcePath } from '../http/request.ts'
import { at, type Obj, str } from '../values.ts'
import { chooseContainer } from './logs.ts'
import { forwardStreams } from './port-forward.ts'
import { type RemoteRequest, runRemote } from './remote-command.ts'
import { spdyRemote } from './remote-spdy.ts'
import { REMOTE_PROTOCOLS, webSocketRemote } from './remote-websocket.ts'

const STREAM_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']
const FORWARD_PROTOCOL = 'portforward.k8s.io'
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io'

/** @throws StatusError before the connection is upgraded */
export async function handleUpgrade(
  services: ApiServices,
  request: ApiRequest,
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const path = parseResourcePath(request.path)
  if (!path) throw notServed()
  const attributes = attributesOf(request, path)
  const verdict = services.authorizer.authorize(request.user, attributes)
  if (!verdict.allowed)
    throw forbidden({ group: path.group, plural: path.resource, kind: '' }, path.name, refusal(request.user, attributes))
  const kind = services.core.registry.find(path.group, path.version, path.resource)
  if (!kind || path.resource !== 'pods' || !['exec', 'attach', 'portforward'].includes(path.subresource)) throw notServed()
  const namespace = path.namespace ?? ''
  const pod = podOf(services.core, kind, namespace, path.name)
  const backend = services.pods()
  if (!backend) throw new StatusError(503, 'ServiceUnavailable', 'no node agent runs pods here, so nothing can be streamed')
  if (str(at(pod, 'spec', 'nodeName')) === '') throw badRequest(`pod ${path.name} does not have a host assigned`)
  const protocol = (message.headers.upgrade ?? '').toLowerCase()

  if (path.subresource === 'portforward') {
    const connect = (port: number) => backend.portForward(namespace, path.name, port)
    if (protocol === 'websocket') {
      const webSocket = await acceptWebSocket(message, socket, head, [TUNNEL_PROTOCOL])
      forwardStreams((handlers) => new SpdyConnection(createWebSocketStream(webSocket), Buffer.alloc(0), handlers), connect)
    } else {
      acceptSpdy(message, socket, [FORWARD_PROTOCOL])
      forwardStreams((handlers) => new SpdyConnection(socket, head, handlers), connect)
    }
    return
  }
  const remote = remoteRequest(request, pod, path.subresource === 'attach')
  const start = runRemote(backend, namespace, path.name, remote)
  if (protocol === 'websocket') webSocketRemote(await acceptWebSocket(message, socket, head, REMOTE_PROTOCOLS), remote, start)
  else {
    const version = acceptSpdy(message, socket, STREAM_PROTOCOLS)
    spdyRemote(socket, head, remote, version, start)
  }
}

function remoteRequest(request: ApiRequest, pod: Obj, attach: boolean): RemoteRequest {
  const { query } = request
  const flag = (name: string) => ['true', '1'].includes(query.get(name) ?? '')
  const command = query.getAll('command')
  if (!attach && command.length === 0) throw badRequest('you must specify at least 1 command for the container')
  const remote = {
    container: chooseContainer(pod, query.get('container') ?? ''),
    command: attach ? undefined : command,
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr') && !flag('tty'),
    tty: flag('tty'),
  }
  if (!remote.stdin && !remote.stdout && !remote.stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  return remote
}

/** The agreed protocol. @throws StatusError when there is none */
function acceptSpdy(message: IncomingMessage, socket: Duplex, known: readonly string[]): string {
  if ((message.headers.upgrade ?? '').toLowerCase() !== 'spdy/3.1')
    throw badRequest(`unable to upgrade: "${message.headers.upgrade ?? ''}" is not known; use SPDY/3.1 or websocket`)
  const header = message.headers['x-stream-protocol-version']
  const offered = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').map((p) => p.trim())
  const chosen = known.find((p) => offered.includes(p))
  if (chosen === undefined)
    throw new StatusError(
      403,
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
    )
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${chosen}\r\n\r\n`,
  )
  return chosen
}

const servers = new Map<readonly string[], WebSocketServer>()
const MAX_MESSAGE = 4 * 1024 * 1024

function acceptWebSocket(message: IncomingMessage, socket: Duplex, head: Buffer, known: readonly string[]): Promise<WebSocket> {
  let server = servers.get(known)
  if (!server) {
    server = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE,
      perMessageDeflate: false,
      handleProtocols: (offered) => known.find((p) => offered.has(p)) ?? false,
    })
    servers.set(known, server)
  }
  const offered = (message.headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim())
  if (!known.some((p) => offered.includes(p)))
    throw badRequest(
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
    )
  const accepting = server
  return new Promise((resolve) => accepting.handleUpgrade(message, socket, head, resolve))
}
