/** Clients of the control plane for tests: a certificate request, and a delta xDS stream that answers as it is told. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { generateKey, keyToPem, makeRequest } from '@lateen/ca'
import { NodeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '@lateen/envoy/gen/envoy/service/discovery/v3/discovery_pb.js'
import { writeCertificateResponse } from '../src/certificates/certificate-messages.ts'

const SERVER_NAME = 'istiod.istio-system.svc'
const identity = (bytes: Buffer) => bytes

export interface Caller {
  readonly port: number
  /** Roots to trust; plain text without. */
  readonly roots?: string
  readonly token?: string
  readonly certificate?: { readonly chain: string; readonly key: string }
}

function open({ port, roots, certificate }: Caller): Client {
  const channel = roots
    ? credentials.createSsl(
        Buffer.from(roots),
        certificate ? Buffer.from(certificate.key) : null,
        certificate ? Buffer.from(certificate.chain) : null,
      )
    : credentials.createInsecure()
  return new Client(
    `127.0.0.1:${port}`,
    channel,
    roots ? { 'grpc.ssl_target_name_override': SERVER_NAME, 'grpc.default_authority': SERVER_NAME } : {},
  )
}

function metadataOf({ token }: Caller): Metadata {
  const metadata = new Metadata()
  if (token) metadata.set('authorization', `Bearer ${token}`)
  return metadata
}

export interface IssuedCertificate {
  readonly chain: readonly string[]
  readonly key: string
}

export interface CertificateWish {
  /** What the request asks for. */
  readonly uri?: string
  /** Extra names that the request asks for. */
  readonly dnsNames?: readonly string[]
  /** `CertSigner` of the metadata; short. */
  readonly signer?: string
}

/** Asks for a certificate with a new key. @throws ServiceError as the control plane answers */
export async function requestCertificate(caller: Caller, validitySeconds = 0, wish: CertificateWish = {}): Promise<IssuedCertificate> {
  const key = generateKey()
  const { uri = 'spiffe://cluster.local/ns/kube-system/sa/admin', dnsNames = [], signer } = wish
  const csr = makeRequest(key, { uris: [uri], dnsNames })
  // Field 1 of request and response are both a text.
  const request = Buffer.concat([writeCertificateResponse([csr]), validityField(validitySeconds), signer ? signerField(signer) : Buffer.alloc(0)])
  const client = open(caller)
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(
        '/istio.v1.auth.IstioCertificateService/CreateCertificate',
        identity,
        identity,
        request,
        metadataOf(caller),
        (error, bytes) => (bytes ? resolve(bytes) : reject(error)),
      )
    })
    return { chain: textsOf(answer), key: keyToPem(key) }
  } finally {
    client.close()
  }
}

/** Metadata with one text: shorter than 128 bytes, so every length is one byte. */
function signerField(signer: string): Buffer {
  const field = (number: number, content: Buffer) => Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])
  const entry = Buffer.concat([field(1, Buffer.from('CertSigner')), field(2, field(3, Buffer.from(signer)))])
  return field(4, field(1, entry))
}

function validityField(seconds: number): Buffer {
  const bytes = [0x18]
  for (let rest = BigInt(seconds); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)])
    bytes.push(Number(rest & 127n) | 128)
  }
}

function textsOf(bytes: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    at += 1
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    texts.push(bytes.subarray(at, at + length).toString('utf8'))
    at += length
  }
  return texts
}

export interface NodeClaim {
  readonly id: string
  readonly namespace: string
  readonly serviceAccount?: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface TestStream {
  /** The next response of a type; earlier ones of other types are passed over and acknowledged. */
  next(typeUrl: string): Promise<DeltaDiscoveryResponse>
  subscribe(typeUrl: string, names?: readonly string[]): void
  ack(response: DeltaDiscoveryResponse): void
  nack(response: DeltaDiscoveryResponse, message: string): void
  /** How the server ended the stream. */
  readonly ended: Promise<ServiceError>
  close(): void
}

/** Opens a delta stream as a node. */
export function openStream(caller: Caller, claim: NodeClaim): TestStream {
  const client = open(caller)
  const stream: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
    '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    identity,
    identity,
    metadataOf(caller),
  )
  const metadata = { NAMESPACE: claim.namespace, ...(claim.serviceAccount ? { SERVICE_ACCOUNT: claim.serviceAccount } : {}), ...(claim.labels ? { LABELS: { ...claim.labels } } : {}) }
  let node: ReturnType<typeof create<typeof NodeSchema>> | undefined = create(NodeSchema, {
    id: claim.id,
    metadata,
    userAgentName: 'envoy',
  })
  const inbox: DeltaDiscoveryResponse[] = []
  let wake: () => void = () => undefined
  stream.on('data', (bytes: Buffer) => {
    inbox.push(fromBinary(DeltaDiscoveryResponseSchema, bytes))
    wake()
  })
  const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve))
  const send = (fields: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]) => {
    const request = create(DeltaDiscoveryRequestSchema, fields)
    if (node) request.node = node
    node = undefined
    stream.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, request)))
  }
  const ack = ({ typeUrl, nonce }: DeltaDiscoveryResponse) => send({ typeUrl, responseNonce: nonce })
  return {
    subscribe: (typeUrl, names = []) => send({ typeUrl, resourceNamesSubscribe: [...names] }),
    next: async (typeUrl) => {
      for (;;) {
        const response = inbox.shift()
        if (response?.typeUrl === typeUrl) return response
        if (response) ack(response)
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    ack,
    nack: ({ typeUrl, nonce }, message) => send({ typeUrl, responseNonce: nonce, errorDetail: { code: 13, message } }),
    ended,
    close: () => {
      stream.cancel()
      client.close()
    },
  }
}
