/** Every port before anybody has proven who they are: what is too large, too deep or too slow ends alone, and the others go on. */
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { RESOURCE_TYPES } from '@lateen/api'
import { setLogSink } from '@lateen/base'
import { TYPE_URL } from '@lateen/envoy'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../testdata/test-cluster.ts'
import { openStream, type TestStream } from '../testdata/test-proxy.ts'
import type { ControlPlane, Ports } from './control-plane.ts'
import { debugTokenPath } from './debug/debug-access.ts'

const log: string[] = []
let cluster: TestCluster
let plane: ControlPlane

beforeAll(async () => {
  setLogSink((line) => log.push(line))
  cluster = await startTestCluster()
  plane = await cluster.startControlPlane()
}, 60_000)
afterAll(() => cluster.close(), 60_000)

const ALL_PORTS = ['grpc', 'secureGrpc', 'http', 'https', 'monitoring'] as const
const GRPC_PORTS = ['grpc', 'secureGrpc'] as const
const isTls = (name: keyof Ports) => name === 'secureGrpc' || name === 'https'

async function isAlive(): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${plane.ports.monitoring}/ready`)
  return response.status === 200
}

/** Writes bytes, and resolves when the other side ends the connection or has answered. */
function write(name: keyof Ports, bytes: Buffer | string): Promise<void> {
  const port = plane.ports[name] ?? 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = isTls(name)
    ? connectTls({ port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
    : connect(port, '127.0.0.1')
  socket.on('error', () => resolve())
  socket.on('close', () => resolve())
  socket.on('data', () => {
    socket.destroy()
    resolve()
  })
  socket.end(bytes)
  return promise
}

describe.each(ALL_PORTS)('port %s', (name) => {
  test.each([
    ['nothing', ''],
    ['rubbish', Buffer.alloc(100_000, 0xff)],
    ['headers without end', `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(100_000)}`],
    ['a target without end', `GET /${'x'.repeat(1_000_000)} HTTP/1.1\r\n\r\n`],
    ['frames of HTTP/2 that make no sense', Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(10_000, 0x7f)])],
  ])('takes %s, ends that connection and nothing else', async (_, bytes) => {
    await write(name, bytes)
    expect(await isAlive()).toBe(true)
  })
})

/** One call with a message of bytes; its gRPC status, or why there is none. */
function grpcCall(name: (typeof GRPC_PORTS)[number], path: string, message: Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const scheme = isTls(name) ? 'https' : 'http'
  const session = http2.connect(`${scheme}://127.0.0.1:${plane.ports[name]}`, { rejectUnauthorized: false })
  session.on('error', (error) => resolve(error.message))
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })
  const end = (status: unknown) => {
    resolve(String(status))
    session.destroy()
  }
  stream.on('response', (headers) => headers['grpc-status'] !== undefined && end(headers['grpc-status']))
  stream.on('trailers', (trailers) => end(trailers['grpc-status']))
  stream.on('error', (error) => end(error.message))
  stream.resume()
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  stream.end(Buffer.concat([head, message]))
  return promise
}

/** A field of bytes. */
function field(number: number, content: Buffer): Buffer {
  const bytes = [number * 8 + 2]
  for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      bytes.push(rest)
      break
    }
    bytes.push((rest % 128) + 128)
  }
  return Buffer.concat([Buffer.from(bytes), content])
}

/** Metadata of a node that has objects in objects: Struct.fields{a: Value.struct_value{…}}. */
function deepNode(depth: number): Buffer {
  let struct = Buffer.alloc(0)
  for (let i = 0; i < depth; i++) struct = Buffer.from(field(1, Buffer.concat([field(1, Buffer.from('a')), field(2, field(5, struct))])))
  return Buffer.concat([field(1, Buffer.from('sidecar~10.0.0.1~a.b~b.svc.cluster.local')), field(3, struct)])
}

const STREAMS = {
  delta: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
  'state of the world': '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
  certificates: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
} as const

describe.each(GRPC_PORTS)('calls to port %s', (name) => {
  const MESSAGES = {
    rubbish: Buffer.alloc(1_000, 0xff),
    'a node in which objects nest without end': field(1, deepNode(8_000)),
    'a node that is too large': field(1, field(1, Buffer.alloc(1 << 20, 0x61))),
    'a message that is too large': field(1, Buffer.alloc(8 << 20)),
  } as const

  test.each(Object.keys(STREAMS) as (keyof typeof STREAMS)[])('%s: no message before a proof of identity does harm', async (stream) => {
    for (const message of Object.values(MESSAGES)) {
      const status = await grpcCall(name, STREAMS[stream], message)
      expect(status).not.toBe('0')
    }
    expect(await isAlive()).toBe(true)
  })

  test('a method that is not there is refused', async () => {
    expect(await grpcCall(name, '/no.such.Service/Method', Buffer.alloc(0))).toBe('12')
  })
})

describe('webhooks', () => {
  const post = (path: string, body: string): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const options = { host: '127.0.0.1', port: plane.ports.https, path, method: 'POST', rejectUnauthorized: false, agent: false }
    const sent = https.request(options, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end(body)
    return promise
  }
  const review = (object: string) =>
    `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"a","name":"b",` +
    `"resource":{"group":"networking.istio.io","version":"v1","resource":"virtualservices"},"object":${object}}}`
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

  test.each(['/inject', '/validate'])(
    '%s: JSON that nests without end is refused or answered, and does no harm',
    async (path) => {
      for (const body of [
        '['.repeat(1_000_000),
        nested(200_000),
        review(nested(200_000)),
        review(`{"kind":"VirtualService","spec":${nested(50_000)}}`),
      ]) {
        expect(await post(path, body)).toBeGreaterThan(0)
      }
      expect(await isAlive()).toBe(true)
    },
    30_000,
  )

  test('/inject: an annotation of YAML with a thousand times the usual keys is answered while others are', async () => {
    const annotation = Array.from({ length: 10_000 }, (_, i) => `k${i}:`).join('\n')
    const labels = { 'sidecar.istio.io/inject': 'true' }
    const pod = {
      metadata: { labels, annotations: { 'proxy.istio.io/config': annotation } },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    }
    const began = process.cpuUsage()
    expect(
      await post('/inject', review(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', ...pod })).replace('virtualservices', 'pods')),
    ).toBe(200)
    const { user } = process.cpuUsage(began)
    // Compared key by key it would be half a minute, in which no proxy is served.
    expect(user / 1e6).toBeLessThan(5)
    expect(await isAlive()).toBe(true)
  })
})

test('a connection that says nothing is ended', async () => {
  const quiet = await cluster.startControlPlane({}, ['--keepaliveInterval=500ms', '--keepaliveTimeout=500ms'])
  const ended = (port: number | undefined) =>
    new Promise<void>((resolve) => {
      const socket = connect(port ?? 0, '127.0.0.1')
      socket.resume()
      socket.on('close', () => resolve())
      socket.on('error', () => resolve())
    })
  await ended(quiet.ports.grpc)
  await quiet.close()
}, 20_000)

/** Gives an account the right to read the Secrets of its namespace. */
async function readSecrets(namespace: string, serviceAccount: string): Promise<void> {
  const group = 'rbac.authorization.k8s.io'
  const create = (kind: string, rest: object) =>
    cluster.client.request('POST', `/apis/${group}/v1/namespaces/${namespace}/${kind.toLowerCase()}s`, {
      apiVersion: `${group}/v1`,
      kind,
      metadata: { name: serviceAccount, namespace },
      ...rest,
    })
  await create('Role', { rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }] })
  await create('RoleBinding', {
    roleRef: { apiGroup: group, kind: 'Role', name: serviceAccount },
    subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
  })
}

/** Resolves when a secret with this text has come. */
async function served(stream: TestStream, text: string): Promise<void> {
  for (;;) {
    const response = await stream.next(TYPE_URL.SDS)
    if (response.resources.some(({ resource }) => Buffer.from(resource?.value ?? []).includes(text))) return
    stream.ack(response)
  }
}

describe('secrets', () => {
  const KEY = 'bm90LWEta2V5LWJ1dC1sb29rcy1saWtlLW9uZQ'
  const privateKey = `-----BEGIN PRIVATE KEY-----\n${KEY}\n-----END PRIVATE KEY-----\n`

  test('are in no debug page and in no log, whoever asks', async () => {
    const encode = (text: string) => Buffer.from(text).toString('base64')
    await cluster.createNamespace('edge')
    await cluster.client.create(RESOURCE_TYPES.Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { name: 'credential', namespace: 'edge' },
      data: { 'tls.crt': encode('certificate'), 'tls.key': encode(privateKey) },
    })
    await cluster.client.create(RESOURCE_TYPES.Gateway, {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'edge', namespace: 'edge' },
      spec: {
        selector: { istio: 'edge' },
        servers: [
          { port: { number: 8443, name: 'https', protocol: 'HTTPS' }, hosts: ['*'], tls: { mode: 'SIMPLE', credentialName: 'credential' } },
        ],
      },
    })
    const token = await cluster.token('edge', 'edge')
    const roots = await cluster.until(RESOURCE_TYPES.ConfigMap, 'edge', 'istio-ca-root-cert', () => true)
    const stream = openStream(
      { port: plane.ports.secureGrpc ?? 0, roots: String(Reflect.get(Object(roots['data']), 'root-cert.pem')), token },
      { id: 'router~10.0.0.9~edge-1.edge~edge.svc.cluster.local', namespace: 'edge', serviceAccount: 'edge', labels: { istio: 'edge' } },
    )
    stream.subscribe(TYPE_URL.LDS)
    stream.ack(await stream.next(TYPE_URL.LDS))
    await readSecrets('edge', 'edge')
    stream.subscribe(TYPE_URL.SDS, ['kubernetes://credential'])
    // The key is served, to whom it may be.
    await served(stream, KEY)

    const port = plane.ports.monitoring ?? 0
    const authorization = `Bearer ${readFileSync(debugTokenPath(port), 'utf8')}`
    const read = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } })).text()
    const index = await read('/debug')
    const pages = [...index.matchAll(/^\/debug\/(\w+)/gm)].map(([path]) => path)
    expect(pages.length).toBeGreaterThan(8)
    const texts = await Promise.all(pages.map((path) => read(`${path}?proxyID=edge-1.edge`)))
    stream.close()

    const ca = await cluster.client.get(RESOURCE_TYPES.Secret, 'istio-system', 'istio-ca-secret')
    const caKey =
      Buffer.from(String(Reflect.get(Object(ca['data']), 'ca-key.pem')), 'base64')
        .toString()
        .split('\n')[1] ?? ''
    expect(caKey.length).toBeGreaterThan(20)
    const seen = [...texts, ...log].join('\n')
    for (const secret of [KEY, encode(privateKey), 'PRIVATE KEY', caKey, token, authorization.slice('Bearer '.length)]) {
      expect(seen.includes(secret), secret.slice(0, 12)).toBe(false)
    }
  })
})
