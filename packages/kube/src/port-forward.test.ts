import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get as httpGet, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiServer, type PodBackend, startApiServer } from '@lateen/apiserver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKubeClient } from './client.ts'
import type { Connection } from './connection.ts'
import { staticCredentials } from './credentials.ts'
import { ApiError } from './errors.ts'
import { openPortForward, type PodConnection } from './port-forward.ts'

/** A node on which every pod is this process. */
const pods: PodBackend = {
  logs: () => Promise.reject(new Error('no logs here')),
  exec: () => Promise.reject(new Error('no exec here')),
  attach: () => Promise.reject(new Error('no attach here')),
  portForward: (_namespace, _pod, port) =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket))
      socket.once('error', reject)
    }),
}

const dataDir = mkdtempSync(join(tmpdir(), 'forward-'))
let api: ApiServer
let connection: Connection
let web: Server
let port: number

beforeAll(async () => {
  api = await startApiServer({
    dataDir,
    listen: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: [],
    crds: [],
    pods,
    resolveService: () => Promise.reject(new Error('no Services are reachable in this test')),
  })
  const [address] = api.addresses
  connection = {
    server: new URL(`https://127.0.0.1:${typeof address === 'object' ? address.port : 0}`),
    ca: api.caPem,
    insecureSkipTlsVerify: false,
    credentials: staticCredentials({ token: api.adminToken }),
    namespace: 'default',
    origin: 'test',
  }
  const client = createKubeClient(connection)
  await client.request('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeName: 'here', containers: [{ name: 'web', image: 'web' }] },
  })
  client.close()
  web = createServer((request, response) => {
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    request.on('end', () => response.end(`${request.method} ${request.url} ${size} ${'x'.repeat(200_000)}`))
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  port = portOf(web)
}, 60_000)

afterAll(async () => {
  web.closeAllConnections()
  web.close()
  await api.close()
  rmSync(dataDir, { recursive: true, force: true })
}, 30_000)

const portOf = (server: Server): number => (server.address() as AddressInfo).port

function ask({ stream }: PodConnection, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    httpGet({ createConnection: () => stream, path, host: 'web' }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve(text))
    }).once('error', reject)
  })
}

describe('ports of a pod', () => {
  test('carry several connections, one after the other and at once', async () => {
    const ports = await openPortForward(connection, { namespace: 'default', pod: 'web' })
    const answers = await Promise.all(['/a', '/b', '/c'].map(async (path) => ask(await ports.connect(port), path)))
    expect(answers.map((text) => [text.slice(0, 8), text.length])).toEqual(['/a', '/b', '/c'].map((path) => [`GET ${path} 0`, 200_009]))
    expect((await ask(await ports.connect(port), '/d')).slice(0, 6)).toBe('GET /d')
    ports.close()
    await ports.closed
    await expect(ports.connect(port)).rejects.toThrow('ended')
  })

  test('say when nothing listens there', async () => {
    const ports = await openPortForward(connection, { namespace: 'default', pod: 'web' })
    const { fault, stream } = await ports.connect(1)
    stream.resume()
    expect(await fault).toMatch(/^an error occurred forwarding 1: .*ECONNREFUSED/)
    ports.close()
  })
})

test('a pod that there is not is what the API server says', async () => {
  await expect(openPortForward(connection, { namespace: 'default', pod: 'nobody' })).rejects.toThrow(ApiError)
})
