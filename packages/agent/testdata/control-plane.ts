/** A little control plane for the agent's tests: the certificate service and delta ADS on one TLS port, over the real CA. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type DescMessage } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { experimental, Server, type ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { CaError, CertificateAuthority, createSelfSignedRoot } from '@lateen/ca'
import { packMessage, typeUrl } from '@lateen/envoy'
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@lateen/envoy/gen/envoy/service/discovery/v3/discovery_pb.js'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '@lateen/envoy/gen/istio/v1/auth/ca_pb.js'

export interface CertificateCall {
  readonly token: string | undefined
  readonly clusterId: string | undefined
  readonly metadata: unknown
  /** SPIFFE URIs of the client certificate, as Node writes them. */
  readonly peer: string | undefined
}

export interface ControlPlane {
  readonly port: number
  readonly rootPem: string
  readonly ca: CertificateAuthority
  /** Every call for a certificate. */
  readonly calls: CertificateCall[]
  /** Authorization headers of ADS streams, in order. */
  readonly streams: { token: string | undefined; peer: string | undefined; nodeId: string }[]
  /** Refusals by Envoy. */
  readonly nacks: string[]
  /** Types that were acknowledged, in order. */
  readonly acks: string[]
  /** Lifetime of certificates given from now on. */
  ttlMs: number
  /** Refuses all calls for certificates with this message. */
  refuse: string | undefined
  /** Sets the one resource of a type, encoded, and sends it to all who asked. */
  setBytes(url: string, name: string, bytes: Uint8Array): void
  /** Sets resources of a type and sends them to all who asked. */
  set<D extends DescMessage>(schema: D, resources: readonly { name: string; message: MessageInitShape<D> }[]): void
  close(): Promise<void>
}

interface Entry {
  readonly name: string
  readonly version: string
  readonly any: ReturnType<typeof packMessage>
}

export const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/cart'

export interface ControlPlaneOptions {
  /** The same CA as another control plane's, for a restart. */
  readonly ca?: CertificateAuthority
  readonly port?: number
}

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const ca = options.ca ?? newAuthority()
  const serving = ca.signServer({ dnsNames: ['istiod.istio-system.svc'] })
  const server = new Server()
  const types = new Map<string, Entry[]>()
  const watchers = new Set<(url: string) => void>()
  let versions = 0
  const plane: ControlPlane = {
    port: 0,
    rootPem: ca.rootsPem,
    ca,
    calls: [],
    streams: [],
    nacks: [],
    acks: [],
    ttlMs: 3_600_000,
    refuse: undefined,
    setBytes(url, name, bytes) {
      versions++
      types.set(url, [{ name, version: String(versions), any: create(AnySchema, { typeUrl: url, value: bytes }) }])
      for (const watcher of [...watchers]) watcher(url)
    },
    set(schema, resources) {
      const url = typeUrl(schema)
      versions++
      types.set(
        url,
        resources.map(({ name, message }) => ({ name, version: `${plane.port}-${Date.now()}-${versions}`, any: packMessage(schema, create(schema, message)) })),
      )
      for (const watcher of [...watchers]) watcher(url)
    },
    close: () => {
      server.forceShutdown()
      return Promise.resolve()
    },
  }
  server.addService(unary('/istio.v1.auth.IstioCertificateService/CreateCertificate', 'createCertificate'), {
    createCertificate: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      const request = fromBinary(IstioCertificateRequestSchema, call.request)
      plane.calls.push({ token: text(call, 'authorization'), clusterId: text(call, 'clusterid'), metadata: request.metadata, peer: peerOf(call) })
      if (plane.refuse) return done({ code: status.PERMISSION_DENIED, details: plane.refuse })
      try {
        const signed = ca.signWorkload(request.csr, { identities: [IDENTITY], ttlMs: plane.ttlMs })
        done(null, Buffer.from(toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain: [...signed.chain] }))))
      } catch (error) {
        done({ code: status.INVALID_ARGUMENT, details: error instanceof CaError ? error.message : 'a bug' })
      }
    },
  })
  server.addService(bidirectional('/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources', 'delta'), {
    delta: (call: ServerDuplexStream<Buffer, Buffer>) => serveDelta(call, plane, types, watchers),
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      `127.0.0.1:${options.port ?? 0}`,
      askForClientCertificate(ca.rootsPem, serving),
      (error, bound) => (error ? reject(error) : resolve(bound)),
    ),
  )
  return Object.assign(plane, { port })
}

/**
 * A client certificate is asked for and not demanded; grpc-js has that only in its certificate providers. Their listeners must not
 * be called at once: the server takes notice of updates only after it has added them.
 */
function askForClientCertificate(rootsPem: string, serving: { keyPem: string; chainPem: string }): ServerCredentials {
  const provider = {
    addCaCertificateListener: (listener: (update: { caCertificate: Buffer }) => void) => setImmediate(listener, { caCertificate: Buffer.from(rootsPem) }),
    removeCaCertificateListener: () => undefined,
    addIdentityCertificateListener: (listener: (update: { certificate: Buffer; privateKey: Buffer }) => void) =>
      setImmediate(listener, { certificate: Buffer.from(serving.chainPem), privateKey: Buffer.from(serving.keyPem) }),
    removeIdentityCertificateListener: () => undefined,
  }
  return experimental.createCertificateProviderServerCredentials(provider, provider, false)
}

export function newAuthority(): CertificateAuthority {
  const root = createSelfSignedRoot({ organization: 'cluster.local', now: Date.now() })
  return CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem })
}

function serveDelta(call: ServerDuplexStream<Buffer, Buffer>, plane: ControlPlane, types: Map<string, Entry[]>, watchers: Set<(url: string) => void>): void {
  const held = new Map<string, Map<string, string>>()
  let nonce = 0
  const send = (url: string) => {
    const has = held.get(url)
    if (!has) return
    const entries = types.get(url) ?? []
    const changed = entries.filter((entry) => has.get(entry.name) !== entry.version)
    const removed = [...has.keys()].filter((name) => !entries.some((entry) => entry.name === name))
    for (const entry of changed) has.set(entry.name, entry.version)
    for (const name of removed) has.delete(name)
    nonce++
    const message = create(DeltaDiscoveryResponseSchema, {
      typeUrl: url,
      nonce: String(nonce),
      removedResources: removed,
      resources: changed.map(({ name, version, any }) => ({ name, version, resource: any })),
    })
    call.write(Buffer.from(toBinary(DeltaDiscoveryResponseSchema, message)))
  }
  watchers.add(send)
  call.on('data', (bytes: Buffer) => {
    const request = fromBinary(DeltaDiscoveryRequestSchema, bytes)
    if (request.node) plane.streams.push({ token: text(call, 'authorization'), peer: peerOf(call), nodeId: request.node.id })
    if (request.responseNonce && !request.errorDetail) plane.acks.push(request.typeUrl)
    if (request.errorDetail) plane.nacks.push(`${request.typeUrl}: ${request.errorDetail.message}`)
    if (request.responseNonce || held.has(request.typeUrl)) return
    held.set(request.typeUrl, new Map(Object.entries(request.initialResourceVersions)))
    send(request.typeUrl)
  })
  const end = () => {
    watchers.delete(send)
    call.end()
  }
  call.on('end', end)
  call.on('cancelled', end)
  call.on('error', end)
}

const pass = (message: Buffer): Buffer => message
const codec = { requestSerialize: pass, requestDeserialize: pass, responseSerialize: pass, responseDeserialize: pass }
const unary = (path: string, name: string) => ({ [name]: { path, requestStream: false, responseStream: false, ...codec } })
const bidirectional = (path: string, name: string) => ({ [name]: { path, requestStream: true, responseStream: true, ...codec } })

const text = (call: { metadata: { get(key: string): unknown[] } }, key: string): string | undefined => call.metadata.get(key).map(String)[0]

function peerOf(call: { getAuthContext(): { sslPeerCertificate?: { subjectaltname?: string | undefined } | undefined } }): string | undefined {
  return call.getAuthContext().sslPeerCertificate?.subjectaltname
}
