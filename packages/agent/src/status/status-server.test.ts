/** The agent's port, which anybody who reaches the pod can reach: what is too large or makes no sense ends alone. */
import { connect, createServer } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type StatusServer, startStatusServer } from './status-server.ts'

let server: StatusServer
let port = 0
let ended = 0

beforeEach(async () => {
  ended = 0
  port = await freePort()
  server = await startStatusServer({
    port,
    readiness: { check: async () => undefined, beginDrain: () => {} },
    probes: new Map(),
    target: { host: '127.0.0.1' },
    metrics: async (_, response) => void response.end('metrics'),
    onQuit: () => void ended++,
    onDrain: async () => {},
    metricsLocalOnly: false,
  })
})
afterEach(() => server.close())

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Everything that comes back until the connection ends. */
function talk(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', () => resolve(answer))
    socket.on('close', () => resolve(answer))
    socket.write(text)
  })
}

const request = (line: string, more = '') => `${line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${more}\r\n`

test.each([
  ['headers without end', request('GET /', `x: ${'x'.repeat(100_000)}\r\n`)],
  ['a target that is no path', request('GET http://[')],
  ['a request that can be read in two ways', request('POST /', 'content-length: 4\r\ntransfer-encoding: chunked\r\n')],
  ['what is no HTTP', `${'\0'.repeat(1_000)}\r\n\r\n`],
])('%s gets no good answer, and the port goes on', async (_, text) => {
  expect(await talk(text)).not.toContain(' 200 ')
  expect(await talk(request('GET /healthz/ready'))).toContain('HTTP/1.1 200 ')
})

test('whoever opens more connections than there may be keeps nobody out, and loses those that did nothing for longest', async () => {
  const silent = Array.from({ length: 700 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  const ended = silent.map((socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())))
  await Promise.all(ended.slice(0, 300))
  expect(await talk(request('GET /healthz/ready'))).toContain('HTTP/1.1 200 ')
  for (const socket of silent) socket.destroy()
  await Promise.all(ended)
})

test('a proxy is ended by POST alone', async () => {
  expect(await talk(request('GET /quitquitquit'))).toContain('HTTP/1.1 405 ')
  expect(ended).toBe(0)
  expect(await talk(request('POST /quitquitquit'))).toContain('HTTP/1.1 200 ')
  expect(ended).toBe(1)
})
