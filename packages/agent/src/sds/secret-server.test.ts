import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import { CertificateAuthority, createSelfSignedRoot, generateKey, keyToPem, makeRequest, type TrustRoots } from '@lateen/ca'
import { SecretSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '@lateen/envoy/gen/envoy/service/discovery/v3/discovery_pb.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../testdata/agent-harness.ts'
import type { IdentitySource, WorkloadIdentity } from '../certs/identity.ts'
import { type SecretServer, startSecretServer } from './secret-server.ts'
import { SecretStore } from './secret-store.ts'

const root = createSelfSignedRoot({ organization: 'cluster.local', now: Date.now() })
const ca = CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem })

function issue(): WorkloadIdentity {
  const key = generateKey()
  return {
    keyPem: keyToPem(key),
    chainPem: ca.signWorkload(makeRequest(key), { identities: ['spiffe://td/ns/a/sa/b'] }).chainPem,
    rootsPem: root.certPem,
  }
}

/** An identity that the test replaces by hand. */
class HandIdentity implements IdentitySource {
  current: WorkloadIdentity | undefined
  readonly listeners = new Set<() => void>()
  get trust(): TrustRoots | undefined {
    return this.current && { rootsPem: this.current.rootsPem, domains: {}, crlPem: '' }
  }
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  replace(identity: WorkloadIdentity): void {
    this.current = identity
    for (const listener of this.listeners) listener()
  }
  close(): void {}
}

let folder = ''
let identity: HandIdentity
let store: SecretStore
let server: SecretServer
let client: Client
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sds-'))
  identity = new HandIdentity()
  store = new SecretStore(identity, 'td')
  server = await startSecretServer(join(folder, 'uds/socket'), store)
  client = new Client(`unix:${join(folder, 'uds/socket')}`, credentials.createInsecure())
})
afterEach(async () => {
  client.close()
  store.close()
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

const pass = (bytes: Buffer): Buffer => bytes
const open = (method: string) =>
  client.makeBidiStreamRequest<Buffer, Buffer>(`/envoy.service.secret.v3.SecretDiscoveryService/${method}`, pass, pass)

/** Messages received so far. */
function collect(stream: ClientDuplexStream<Buffer, Buffer>): Buffer[] {
  const messages: Buffer[] = []
  stream.on('data', (message: Buffer) => messages.push(message))
  stream.on('error', () => undefined)
  return messages
}

function certificateOf(bytes: Uint8Array | undefined): string {
  const secret = fromBinary(SecretSchema, bytes ?? new Uint8Array())
  const { certificateChain, privateKey } = secret.type.case === 'tlsCertificate' ? secret.type.value : {}
  const text = (source: typeof certificateChain) =>
    source?.specifier.case === 'inlineBytes' ? Buffer.from(source.specifier.value).toString() : ''
  return text(certificateChain) + text(privateKey)
}

test('delta: a secret comes when there is one, again when it is replaced, and never twice the same', async () => {
  const stream = open('DeltaSecrets')
  const received = collect(stream)
  stream.write(
    Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: ['default'] }))),
  )
  const [first, second] = [issue(), issue()]
  await eventually(() => expect(identity.listeners.size).toBe(1))
  identity.replace(first)
  await eventually(() => expect(received).toHaveLength(1))
  const one = fromBinary(DeltaDiscoveryResponseSchema, received[0] ?? Buffer.alloc(0))
  expect(one).toMatchObject({
    typeUrl: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    resources: [{ name: 'default' }],
  })
  expect(certificateOf(one.resources[0]?.resource?.value)).toBe(first.chainPem + first.keyPem)
  stream.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { responseNonce: one.nonce }))))
  identity.replace(first)
  identity.replace(second)
  await eventually(() => expect(received).toHaveLength(2))
  expect(certificateOf(fromBinary(DeltaDiscoveryResponseSchema, received[1] ?? Buffer.alloc(0)).resources[0]?.resource?.value)).toBe(
    second.chainPem + second.keyPem,
  )
  stream.end()
})

test('state of the world: roots and certificate, each on a stream of its own', async () => {
  identity.replace(issue())
  for (const [name, kind] of [
    ['default', 'tlsCertificate'],
    ['ROOTCA', 'validationContext'],
  ] as const) {
    const stream = open('StreamSecrets')
    const received = collect(stream)
    stream.write(Buffer.from(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { resourceNames: [name] }))))
    await eventually(() => expect(received).toHaveLength(1))
    const { resources, nonce, versionInfo } = fromBinary(DiscoveryResponseSchema, received[0] ?? Buffer.alloc(0))
    expect(fromBinary(SecretSchema, resources[0]?.value ?? new Uint8Array())).toMatchObject({ name, type: { case: kind } })
    stream.write(
      Buffer.from(
        toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { resourceNames: [name], responseNonce: nonce, versionInfo })),
      ),
    )
    stream.end()
  }
})

test('mounted files are served by the names that hold their paths, and again when they are replaced', async () => {
  const put = async ({ chainPem, keyPem }: WorkloadIdentity) => {
    await writeFile(join(folder, 'key.pem'), keyPem)
    await writeFile(join(folder, '.chain'), chainPem)
    await rename(join(folder, '.chain'), join(folder, 'chain.pem'))
  }
  const [first, second] = [issue(), issue()]
  await put(first)
  const stream = open('DeltaSecrets')
  const received = collect(stream)
  const name = `file-cert:${join(folder, 'chain.pem')}~${join(folder, 'key.pem')}`
  stream.write(
    Buffer.from(
      toBinary(
        DeltaDiscoveryRequestSchema,
        create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: [name, 'file-root:/none', 'other'] }),
      ),
    ),
  )
  const last = () =>
    certificateOf(fromBinary(DeltaDiscoveryResponseSchema, received.at(-1) ?? Buffer.alloc(0)).resources[0]?.resource?.value)
  await eventually(() => expect(last()).toBe(first.chainPem + first.keyPem))
  await put(second)
  await eventually(() => expect(last()).toBe(second.chainPem + second.keyPem))
  stream.end()
})

test('the socket is for owner and group alone, an unknown method is refused, and garbage ends the stream without harm', async () => {
  expect((await stat(join(folder, 'uds/socket'))).mode & 0o777).toBe(0o660)
  const unknown = open('Other')
  const code = await new Promise((resolve) => unknown.on('error', (error) => resolve('code' in error ? error.code : error)))
  expect(code).toBe(12)
  const garbage = open('DeltaSecrets')
  const ended = new Promise((resolve) => garbage.on('error', resolve))
  garbage.write(Buffer.from([0xff, 0xff, 0xff]))
  await ended
  identity.replace(issue())
  const fine = open('DeltaSecrets')
  const received = collect(fine)
  fine.write(
    Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: ['ROOTCA'] }))),
  )
  await eventually(() => expect(received).toHaveLength(1))
  fine.end()
  expect((await readFile('/proc/net/unix', 'utf8')).includes(join(folder, 'uds/socket'))).toBe(true)
})
