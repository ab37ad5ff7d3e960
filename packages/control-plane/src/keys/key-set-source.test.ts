import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { LONGEST_ANSWER } from './bounded-fetch.ts'
import { addressCheck } from './forbidden-addresses.ts'
import { fetchKeySet } from './key-set-source.ts'

const LOOPBACK = addressCheck({ blocked: [], allowed: ['127.0.0.0/8'] })
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const fetchFrom = (source: { readonly uri: string } | { readonly issuer: string }, mayCall = LOOPBACK, timeoutMs = 2_000) =>
  fetchKeySet({ id: 'test', source, timeoutMs }, { mayCall, timeoutMs, tls: { insecure: false } })

test('keys come from the address that a rule names, in one form', async () => {
  const uri = await serve((_, response) => response.end('{ "more": 1, "keys": [ { "kty": "oct" } ] }'))
  expect(await fetchFrom({ uri })).toBe('{"keys":[{"kty":"oct"}]}')
})

test('an issuer says where its keys are', async () => {
  const issuer: string = await serve((request, response) =>
    response.end(request.url === '/.well-known/openid-configuration' ? JSON.stringify({ jwks_uri: `${issuer}/keys` }) : '{"keys":[]}'),
  )
  expect(await fetchFrom({ issuer: `${issuer}/` })).toBe('{"keys":[]}')
})

test('loopback is refused, by address and by name', async () => {
  const uri = await serve((_, response) => response.end('{"keys":[]}'))
  const nobody = addressCheck({ blocked: [], allowed: [] })
  await expect(fetchFrom({ uri }, nobody)).rejects.toThrow('is at 127.0.0.1, which may not be called')
  await expect(fetchFrom({ uri: uri.replace('127.0.0.1', 'localhost') }, nobody)).rejects.toThrow('which may not be called')
  await expect(fetchFrom({ uri: uri.replace('127.0.0.1', '2130706433') }, nobody)).rejects.toThrow('which may not be called')
})

test('a redirect to a forbidden address is refused like the address', async () => {
  const uri = await serve((_, response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end())
  await expect(fetchFrom({ uri })).rejects.toThrow('is at 169.254.169.254, which may not be called')
})

test('redirects end', async () => {
  let asked = 0
  const uri: string = await serve((_, response) => {
    asked += 1
    response.writeHead(307, { location: '/again' }).end()
  })
  await expect(fetchFrom({ uri })).rejects.toThrow('redirects more than 3 times')
  expect(asked).toBe(4)
})

test('an answer without end is given up', async () => {
  let stopped = false
  const uri = await serve((_, response) => {
    const part = Buffer.alloc(64 * 1024, 'x')
    const write = (): void => {
      while (!stopped && response.write(part));
    }
    response.on('drain', write).on('close', () => (stopped = true))
    write()
  })
  await expect(fetchFrom({ uri })).rejects.toThrow(`more than ${LONGEST_ANSWER / 1024} KiB`)
})

test('a server that says nothing, or trickles, is given up in time', async () => {
  const silent = await serve(() => {})
  await expect(fetchFrom({ uri: silent }, LOOPBACK, 100)).rejects.toThrow('did not answer within 100 ms')
  const trickling = await serve((_, response) => {
    const timer = setInterval(() => response.write(' '), 10)
    response.on('close', () => clearInterval(timer))
  })
  await expect(fetchFrom({ uri: trickling }, LOOPBACK, 100)).rejects.toThrow('did not answer within 100 ms')
})

test.each([
  ['a status', 500, '{"keys":[]}', 'answers with status 500'],
  ['no JSON', 200, '<html>', 'a text that is not JSON'],
  ['another document', 200, '[]', 'JSON that is no object'],
  ['no keys', 200, '{}', '"keys" is missing'],
])('%s is no key set', async (_, status, body, why) => {
  const uri = await serve((__, response) => response.writeHead(status).end(body))
  await expect(fetchFrom({ uri })).rejects.toThrow(why)
})

test.each([
  'file:///etc/passwd',
  'ftp://example.com/keys',
  'http://user:secret@example.com/',
  'keys',
  `http://example.com/${'x'.repeat(3_000)}`,
])('%s is no address to fetch from', async (uri) => {
  await expect(fetchFrom({ uri })).rejects.toThrow('is not an http or https address without a user name')
})
