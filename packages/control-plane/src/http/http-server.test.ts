/** What a caller can make large or long has an end. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { type HttpServerOptions, type RunningHttpServer, startHttpServer } from './http-server.ts'

let server: RunningHttpServer | undefined
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server?.close()
})

/** Answers with the length of the body. */
async function serve(limits: HttpServerOptions['limits'] = {}): Promise<number> {
  server = await startHttpServer({
    name: 'test',
    flag: 'httpAddr',
    address: { host: '127.0.0.1', port: 0 },
    maxBodyBytes: 1_000,
    limits: { connectionsCheckingInterval: 20, ...limits },
    handler: async (request) => ({ status: 200, body: String((await request.body()).length) }),
  })
  return server.port
}

/** Everything that comes back until the connection ends. */
function talk(port: number, ...texts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', (error) => ('code' in error && error.code === 'ECONNRESET' ? resolve(answer) : reject(error)))
    socket.on('close', () => resolve(answer))
    for (const text of texts) socket.write(text)
  })
}

const GET = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n'
const POST = 'POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n'

test('headers that do not come are not waited for', async () => {
  const port = await serve({ headersTimeout: 100 })
  expect(await talk(port, GET)).toBe('')
})

test('a body that does not come is not waited for', async () => {
  const port = await serve({ headersTimeout: 100, requestTimeout: 150 })
  expect(await talk(port, `${POST}content-length: 10\r\n\r\n`, 'x')).not.toContain(' 200 ')
})

test('headers without end are not read', async () => {
  const port = await serve({ maxHeaderSize: 2_000 })
  expect(await talk(port, `${GET}x: ${'x'.repeat(3_000)}\r\n\r\n`)).toBe('')
})

test('a body that is too large is refused, with and without its length said before', async () => {
  const port = await serve()
  expect(await talk(port, `${POST}content-length: 2000\r\n\r\n${'x'.repeat(2_000)}`)).toContain('HTTP/1.1 413 ')
  expect(await talk(port, `${POST}transfer-encoding: chunked\r\n\r\n7d0\r\n${'x'.repeat(2_000)}\r\n0\r\n\r\n`)).toContain('HTTP/1.1 413 ')
  expect(await talk(port, `${POST}content-length: 4\r\n\r\nxxxx`)).toContain('HTTP/1.1 200 ')
})

test('a request that can be read in two ways is not read', async () => {
  const port = await serve()
  expect(await talk(port, `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`)).toBe('')
})

test('where there are more connections than there may be, the one that has done nothing for longest gives way', async () => {
  const port = await serve({ maxConnections: 4 })
  const [first, second] = [talk(port), talk(port)]
  await vi.waitFor(() => expect(sockets.every((socket) => socket.readyState === 'open')).toBe(true))
  const used = connect(port, '127.0.0.1')
  sockets.push(used)
  used.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(used, 'data')
  expect(await talk(port, `${GET}\r\n`)).toContain('HTTP/1.1 200 ')
  expect(await first).toBe('')
  expect(await talk(port, `${GET}\r\n`)).toContain('HTTP/1.1 200 ')
  expect(await second).toBe('')
  expect(used.readyState).toBe('open')
})

test('a target that is no path is refused, and nothing else ends for it', async () => {
  const port = await serve()
  expect(await talk(port, 'GET http://[ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).toContain('HTTP/1.1 400 ')
  expect(await talk(port, `${GET}\r\n`)).toContain('HTTP/1.1 200 ')
})
