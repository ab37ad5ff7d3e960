import { createServer as createHttp, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSelfSignedRoot } from '@lateen/ca'
import { afterEach, expect, test } from 'vitest'
import { boundedFetch, type FetchTls } from './bounded-fetch.ts'
import { addressCheck } from './forbidden-addresses.ts'

const mayCall = addressCheck({ blocked: [], allowed: ['127.0.0.0/8'] })
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const fetchFrom = (address: string, tls: FetchTls = { insecure: false }) => boundedFetch(address, { mayCall, timeoutMs: 2_000, tls })

test('a server whose certificate nobody vouches for is not believed', async () => {
  const { certPem, keyPem } = createSelfSignedRoot({ organization: 'nobody', now: Date.now() })
  const port = await listening(createHttps({ cert: certPem, key: keyPem }, (_, response) => response.end('{}')))
  const address = `https://127.0.0.1:${port}/keys`
  await expect(fetchFrom(address)).rejects.toThrow('cannot be reached: ')
  // The name is wrong as well, whoever vouches.
  await expect(fetchFrom(address, { insecure: false, authorities: [certPem] })).rejects.toThrow('cannot be reached: ')
  await expect(fetchFrom(address, { insecure: true })).resolves.toBe('{}')
})

test('nothing that identifies the control plane is sent along', async () => {
  const seen: IncomingHttpHeaders[] = []
  const port = await listening(
    createHttp((request, response) => {
      seen.push(request.headers)
      if (request.url === '/first') response.writeHead(302, { location: '/second', 'set-cookie': 'a=b' }).end()
      else response.end('{}')
    }),
  )
  await fetchFrom(`http://127.0.0.1:${port}/first`)
  expect(seen).toHaveLength(2)
  for (const headers of seen) expect(Object.keys(headers).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent'])
})

test.each([
  'ftp://example.com/keys',
  'file:///etc/passwd',
  'http://ann:secret@example.com/keys',
  'keys',
  `http://example.com/${'x'.repeat(3_000)}`,
])('%s is no address to fetch from', async (address) => {
  await expect(fetchFrom(address)).rejects.toThrow('is not an http or https address without a user name')
})

test('a redirect never leads from https to http', async () => {
  const { certPem, keyPem } = createSelfSignedRoot({ organization: 'nobody', now: Date.now() })
  const away = { location: 'http://127.0.0.1:1/keys' }
  const port = await listening(createHttps({ cert: certPem, key: keyPem }, (_, response) => response.writeHead(301, away).end()))
  await expect(fetchFrom(`https://127.0.0.1:${port}/keys`, { insecure: true })).rejects.toThrow(
    'redirects from https to http://127.0.0.1:1/keys',
  )
})
