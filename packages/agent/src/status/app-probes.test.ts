import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { Server as GrpcServer, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import { CertificateAuthority, createSelfSignedRoot } from '@lateen/ca'
import { afterEach, expect, test } from 'vitest'
import { ask, freePorts } from '../../testdata/agent-harness.ts'
import { parseAppProbes, probeTarget } from './app-probes.ts'
import { startStatusServer } from './status-server.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

/** The status of a probe of the kind that the kubelet sends. */
async function probe(definition: unknown, headers: Record<string, string> = {}): Promise<number> {
  const [port = 0] = await freePorts(1)
  const server = await startStatusServer({
    port,
    readiness: { check: async () => undefined, beginDrain: () => undefined },
    probes: parseAppProbes(JSON.stringify({ '/app-health/cart/livez': definition })),
    target: probeTarget('127.0.0.1', false),
    metrics: async () => undefined,
    onQuit: () => undefined,
    onDrain: async () => undefined,
    metricsLocalOnly: false,
  })
  cleanups.push(() => server.close())
  return (await ask(port, '/app-health/cart/livez', { headers })).status
}

test('an HTTP probe asks the application with the headers set, from an address that capture leaves alone', async () => {
  const seen: unknown[] = []
  const port = await listen(
    http.createServer((request, response) => {
      seen.push({
        url: request.url,
        host: request.headers.host,
        custom: request.headers['x-custom'],
        agent: request.headers['user-agent'],
        from: request.socket.remoteAddress,
      })
      response.writeHead(request.url === '/ok' ? 204 : 418).end()
    }),
  )
  const httpGet = {
    port,
    path: '/ok',
    httpHeaders: [
      { name: 'X-Custom', value: 'a' },
      { name: 'Host', value: 'cart.example' },
    ],
  }
  expect(await probe({ httpGet }, { 'user-agent': 'kube-probe/1.33' })).toBe(204)
  expect(seen).toEqual([{ url: '/ok', host: 'cart.example', custom: 'a', agent: 'kube-probe/1.33', from: '127.0.0.6' }])
  expect(await probe({ httpGet: { port, path: 'other' } })).toBe(418)
})

test('an HTTPS probe does not check the certificate', async () => {
  const root = createSelfSignedRoot({ organization: 'x', now: Date.now() })
  const serving = CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem }).signServer({
    dnsNames: ['elsewhere'],
  })
  const port = await listen(https.createServer({ key: serving.keyPem, cert: serving.chainPem }, (_, response) => response.end('fine')))
  expect(await probe({ httpGet: { port, path: '/', scheme: 'HTTPS' } })).toBe(200)
})

test('a TCP probe succeeds where somebody listens', async () => {
  const port = await listen(createServer((socket) => socket.end()))
  expect(await probe({ tcpSocket: { port } })).toBe(200)
  const [free = 0] = await freePorts(1)
  expect(await probe({ tcpSocket: { port: free } })).toBe(500)
})

test('a gRPC probe succeeds where the health service says SERVING for the service named', async () => {
  const pass = (bytes: Buffer): Buffer => bytes
  const server = new GrpcServer()
  server.addService(
    {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: pass,
        requestDeserialize: pass,
        responseSerialize: pass,
        responseDeserialize: pass,
      },
    },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
        done(null, Buffer.from([8, call.request.toString().includes('cart') ? 1 : 2])),
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  )
  cleanups.push(() => server.forceShutdown())
  expect(await probe({ grpc: { port, service: 'cart' } })).toBe(200)
  expect(await probe({ grpc: { port } })).toBe(500)
})

test('an application that does not answer in time has failed', async () => {
  const port = await listen(http.createServer(() => undefined))
  expect(await probe({ httpGet: { port, path: '/' }, timeoutSeconds: 0.2 })).toBe(500)
})

test('what is not a set of probes is refused by the path', () => {
  expect(() => parseAppProbes('nothing')).toThrow('ISTIO_KUBE_APP_PROBERS is not JSON')
  expect(() => parseAppProbes('{"/etc/passwd":{}}')).toThrow('"/etc/passwd" is not a path like')
  expect(() => parseAppProbes('{"/app-health/a/livez":{}}')).toThrow('/app-health/a/livez has none of httpGet, tcpSocket and grpc')
  expect(() => parseAppProbes('{"/app-health/a/livez":{"tcpSocket":{"port":"web"}}}')).toThrow('has the port "web"')
  expect(parseAppProbes('').size).toBe(0)
})
