/** What is spoken on a port, said by its name or found by listening; and protocols that begin as another. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CallSpec, documents, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, GATEWAY_URL } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const WAYS = ['gateway', 'sidecar'] as const
const HOST = 'web.feat.svc.cluster.local'

const OBJECTS = [
  // Ports whose names and numbers say nothing: what is spoken there is found by listening.
  echoService({
    name: 'web',
    namespace: 'feat',
    ports: {
      http: [80, 8080],
      http2: [82, 8082],
      grpc: [83, 8083],
      any: [7001, 7001],
      'any-bytes': [7002, 7002],
      tcp: [9000, 9000],
      'tcp-first': [9001, 9001],
    },
  }),
  documents({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'declared', namespace: 'feat' },
    spec: {
      selector: { app: 'web' },
      ports: [
        { name: 'p1', port: 7010, targetPort: 7010, appProtocol: 'http' },
        { name: 'p2', port: 7011, targetPort: 7011, appProtocol: 'tcp' },
      ],
    },
  }),
  networking(
    'VirtualService',
    { name: 'web', namespace: 'feat' },
    { hosts: ['web.example'], gateways: ['front'], http: [{ route: [{ destination: { host: HOST, port: { number: 80 } } }] }] },
  ),
  networking(
    'VirtualService',
    { name: 'grpc', namespace: 'feat' },
    { hosts: ['grpc.example'], gateways: ['front'], http: [{ route: [{ destination: { host: HOST, port: { number: 83 } } }] }] },
  ),
  networking(
    'VirtualService',
    { name: 'any', namespace: 'feat' },
    { hosts: ['any.example'], gateways: ['front'], http: [{ route: [{ destination: { host: HOST, port: { number: 7001 } } }] }] },
  ),
].join('')

/** The route of gRPC calls, which marks its answers. */
const seasoned = (way: (typeof WAYS)[number], season: string) =>
  networking(
    'VirtualService',
    { name: way === 'gateway' ? 'grpc' : 'web-mesh', namespace: 'feat' },
    {
      hosts: [way === 'gateway' ? 'grpc.example' : HOST],
      gateways: [way === 'gateway' ? 'front' : 'mesh'],
      http: [
        {
          ...(way === 'gateway' ? {} : { match: [{ port: 83 }] }),
          headers: { response: { set: { 'x-season': season } } },
          route: [{ destination: { host: HOST, port: { number: 83 } } }],
        },
        ...(way === 'gateway' ? [] : [{ route: [{ destination: { host: HOST } }] }]),
      ],
    },
  )

describeWithMesh('protocols', (mesh) => {
  let echo: Echo
  beforeAll(async () => {
    if (whySkipped()) return
    echo = await deployEcho(
      mesh(),
      [
        {
          name: 'web',
          namespace: 'feat',
          listen: [
            '8080=http',
            '8082=http',
            '8083=http',
            '7001=http',
            '7002=tcp',
            '9000=tcp',
            '9001=tcp-first',
            '7010=http',
            '7011=tcp-first',
          ],
        },
        { name: 'caller', namespace: 'feat' },
      ],
      OBJECTS,
    )
    await eventually(async () => expect(await call('gateway', { version: 'h1' }, 'web.example')).toMatchObject({ status: 200 }))
    await eventually(async () => expect(await call('sidecar', { version: 'h1' }, HOST)).toMatchObject({ status: 200 }))
  })
  afterAll(() => echo?.close())

  const call = (way: (typeof WAYS)[number], spec: Partial<CallSpec>, host: string, port = 80) =>
    echo.callOnce(way === 'gateway' ? DRIVER : CALLER, {
      url: way === 'gateway' ? GATEWAY_URL : `http://web.feat:${port}/`,
      headers: { host },
      ...spec,
    })
  const bytes = (port: number, body?: string) =>
    echo.callOnce(CALLER, { url: `tcp://web.feat:${port}`, version: 'tcp', ...(body === undefined ? {} : { body }) })

  test.each(WAYS)('WebSocket: by %s, a connection is upgraded and texts go both ways', async (way) => {
    const answer = await call(way, { version: 'ws', body: 'over and out' }, way === 'gateway' ? 'web.example' : HOST)
    expect(answer, answer.error).toMatchObject({ status: 101, pod: 'web' })
    expect(answer.echo).toMatchObject({ protocol: 'websocket' })
    expect(answer.body.split('\n')[1]).toBe('over and out')
  })

  test.each(WAYS)('gRPC: by %s, message, status and trailers arrive', async (way) => {
    const host = way === 'gateway' ? 'grpc.example' : HOST
    const answer = await call(way, { version: 'grpc', body: 'hello' }, host, 83)
    expect(answer, answer.error).toMatchObject({ status: 200, grpcStatus: 0, pod: 'web' })
    expect(answer.echo).toMatchObject({ protocol: 'grpc', body: 'hello' })
    const failed = await call(way, { version: 'grpc', headers: { host, 'x-echo-grpc-status': '9' } }, host, 83)
    expect(failed).toMatchObject({ grpcStatus: 9, grpcMessage: 'as asked' })
  })

  test.each(WAYS)('gRPC: by %s, a call with messages both ways outlives changes of its route', async (way) => {
    const host = way === 'gateway' ? 'grpc.example' : HOST
    const version = 'grpc-stream'
    const stream = call(way, { version, body: `${way}-stream`, messages: 40, everyMs: 150, timeoutMs: 60_000 }, host, 83)
    for (const season of ['spring', 'summer']) {
      await mesh().apply(seasoned(way, season))
      await eventually(async () => expect((await call(way, { version: 'grpc' }, host, 83)).headers).toMatchObject({ 'x-season': season }))
    }
    const answer = await stream
    expect(answer, answer.error).toMatchObject({ status: 200, grpcStatus: 0 })
    expect(answer.body.split('\n')).toEqual(Array.from({ length: 40 }, (_, at) => `web ${way}-stream-${at}`))
    // It began before the changes, by the route that was.
    expect(answer.headers).not.toHaveProperty('x-season')
  })

  test('HTTP/2 without TLS: who asks for it by an upgrade is answered by HTTP/1.1, and the app is not asked', async () => {
    const upgrade = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA' }
    for (const way of WAYS) {
      const host = way === 'gateway' ? 'web.example' : HOST
      const answer = await call(way, { version: 'h1', headers: { host, ...upgrade } }, host)
      expect(answer, answer.error).toMatchObject({ status: 200, pod: 'web', echo: { protocol: 'http/1.1' } })
      expect(answer.echo?.headers).not.toHaveProperty('upgrade')
      expect(answer.echo?.headers).not.toHaveProperty('http2-settings')
    }
  })

  test.each(WAYS)('HTTP/2 without TLS: by %s, with prior knowledge', async (way) => {
    const answer = await call(way, { version: 'h2' }, way === 'gateway' ? 'web.example' : HOST)
    expect(answer, answer.error).toMatchObject({ status: 200, pod: 'web' })
  })

  test('a port named http2 is called by HTTP/2, whatever the caller speaks', async () => {
    expect((await call('sidecar', { version: 'h1' }, HOST, 82)).echo).toMatchObject({ protocol: 'h2' })
    expect((await call('sidecar', { version: 'h2' }, HOST, 82)).echo).toMatchObject({ protocol: 'h2' })
  })

  test('a port whose name says nothing: HTTP/1.1, HTTP/2, gRPC and bytes are told apart', async () => {
    expect((await call('sidecar', { version: 'h1' }, HOST, 7001)).echo).toMatchObject({ protocol: 'http/1.1' })
    expect((await call('sidecar', { version: 'h2' }, HOST, 7001)).echo).toMatchObject({ protocol: 'h2' })
    expect((await call('sidecar', { version: 'grpc', body: 'sniffed' }, HOST, 7001)).echo).toMatchObject({ protocol: 'grpc' })
    expect((await bytes(7002, 'sniffed bytes')).body).toBe('web sniffed bytes')
  })

  test('a port whose name says nothing gets HTTP/1.1 from a gateway, whatever its caller speaks', async () => {
    for (const version of ['h1', 'h2'] as const) {
      const answer = await call('gateway', { version }, 'any.example')
      expect(answer, answer.error).toMatchObject({ status: 200, pod: 'web' })
      expect(answer.echo).toMatchObject({ protocol: 'http/1.1', port: 7001 })
    }
  })

  test('a port named tcp: bytes, also where the server speaks first', async () => {
    expect((await bytes(9000, 'plain bytes')).body).toBe('web plain bytes')
    expect((await bytes(9001)).body).toBe('hello from web')
    expect(await echo.received('feat/web', { path: 'plain bytes', protocol: 'tcp' })).toHaveLength(1)
  })

  test('appProtocol says what a port speaks', async () => {
    expect(await echo.callOnce(CALLER, { url: 'http://declared.feat:7010/' })).toMatchObject({ status: 200, pod: 'web' })
    expect((await echo.callOnce(CALLER, { url: 'tcp://declared.feat:7011', version: 'tcp' })).body).toBe('hello from web')
  })

  test('one service with many ports: each leads to its own', async () => {
    expect((await call('sidecar', {}, HOST)).echo).toMatchObject({ port: 8080 })
    expect((await bytes(9000, 'ports')).body).toBe('web ports')
    expect((await bytes(9999, 'none')).status).toBe(0)
  })
})
