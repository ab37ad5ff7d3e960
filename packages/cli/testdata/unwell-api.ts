/** API servers that do not answer as they should, each for one way to go wrong, and a kubeconfig for each. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import { createSelfSignedRoot } from '@lateen/ca'

export interface UnwellApi {
  /** For commands: their configuration, and a home where no mesh is. */
  readonly env: NodeJS.ProcessEnv
  close(): Promise<void>
}

const answering = (write: (response: ServerResponse) => void): (() => Server) => () => createHttp((_request, response) => write(response))
const status = (code: number, reason: string, message: string) =>
  answering((response) => {
    response.writeHead(code, { 'content-type': 'application/json', connection: 'close' })
    response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code }))
  })

const DRIBBLE_MS = 100

const WAYS = {
  'accepts connections and says nothing': () => createServer((socket) => void socket.resume()),
  'answers byte by byte, without end': () =>
    createServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"items":[')
      const timer = setInterval(() => socket.write(' '), DRIBBLE_MS)
      socket.on('close', () => clearInterval(timer))
    }),
  'resets connections': () => createServer((socket) => void socket.resetAndDestroy()),
  'ends its answer in the middle': () =>
    createServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"items":[')
    }),
  'has a certificate that nobody vouches for': () => createTls(selfSigned()),
  'does not know the caller': status(401, 'Unauthorized', 'Unauthorized'),
  'permits nothing': status(403, 'Forbidden', 'things is forbidden: User "me" cannot do anything'),
  'has an error of its own': status(500, 'InternalError', 'Internal error occurred: etcdserver: request timed out'),
  'is the page of a proxy in between': answering((response) => {
    response.writeHead(200, { 'content-type': 'text/html', connection: 'close' })
    response.end('<!doctype html><html><body><h1>Sign in</h1></body></html>')
  }),
  'is the error page of a proxy in between': answering((response) => {
    response.writeHead(502, { 'content-type': 'text/html', connection: 'close' })
    response.end(`<html>\n<head><title>502 Bad Gateway</title></head>\n<body>${'<p>x</p>\n'.repeat(100)}</body>\n</html>`)
  }),
} as const satisfies Record<string, () => Server>

function selfSigned(): { readonly cert: string; readonly key: string } {
  const { certPem, keyPem } = createSelfSignedRoot({ organization: 'elsewhere.example', now: Date.now() })
  return { cert: certPem, key: keyPem }
}

export type Way = keyof typeof WAYS
export const ALL_WAYS = Object.keys(WAYS) as readonly Way[]

export async function startUnwellApi(way: Way): Promise<UnwellApi> {
  const sockets = new Set<Socket>()
  const server: Server = WAYS[way]()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server of TCP has such an address once it listens.
  const { port } = server.address() as AddressInfo
  const folder = mkdtempSync(join(tmpdir(), 'lateen-unwell-'))
  const scheme = way === 'has a certificate that nobody vouches for' ? 'https' : 'http'
  writeFileSync(
    join(folder, 'kubeconfig'),
    JSON.stringify({
      'current-context': 'x',
      clusters: [{ name: 'x', cluster: { server: `${scheme}://127.0.0.1:${port}` } }],
      contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      users: [{ name: 'x', user: { token: 'not-a-token' } }],
    }),
  )
  return {
    env: { KUBECONFIG: join(folder, 'kubeconfig'), LATEEN_HOME: join(folder, 'home'), PATH: process.env['PATH'] },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
