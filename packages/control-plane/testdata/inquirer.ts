/** Asks the control plane a question over xDS as istioctl does: one state-of-the-world request, one answer, its acknowledgement. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { NodeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import {
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@lateen/envoy/gen/envoy/service/discovery/v3/discovery_pb.js'
import type { Caller } from './test-proxy.ts'

const SERVER_NAME = 'istiod.istio-system.svc'
const identity = (bytes: Buffer) => bytes

export interface Inquiry {
  /** @throws ServiceError as the control plane ends the stream */
  ask(typeUrl: string, names?: readonly string[]): Promise<DiscoveryResponse>
  /** Answers that came so far. */
  readonly answers: number
  close(): void
}

export function openInquiry({ port, roots, token }: Caller): Inquiry {
  const channel = roots ? credentials.createSsl(Buffer.from(roots)) : credentials.createInsecure()
  const client = new Client(`127.0.0.1:${port}`, channel, roots ? { 'grpc.ssl_target_name_override': SERVER_NAME } : {})
  const metadata = new Metadata()
  if (token) metadata.set('authorization', `Bearer ${token}`)
  const stream = client.makeBidiStreamRequest(
    '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    identity,
    identity,
    metadata,
  )
  // istioctl's node claims a namespace that it has not proven, which is nobody's proxy.
  let node: ReturnType<typeof create<typeof NodeSchema>> | undefined = create(NodeSchema, {
    id: 'sidecar~127.0.0.1~test-1.default~default.svc.cluster.local',
    metadata: { NAMESPACE: 'istio-system', GENERATOR: 'event' },
  })
  const send = (fields: Parameters<typeof create<typeof DiscoveryRequestSchema>>[1]) => {
    const request = create(DiscoveryRequestSchema, fields)
    if (node) request.node = node
    node = undefined
    stream.write(Buffer.from(toBinary(DiscoveryRequestSchema, request)))
  }
  let answers = 0
  let settle: { resolve(response: DiscoveryResponse): void; reject(error: ServiceError): void } | undefined
  stream.on('data', (bytes: Buffer) => {
    answers += 1
    const response = fromBinary(DiscoveryResponseSchema, bytes)
    send({ typeUrl: response.typeUrl, responseNonce: response.nonce, versionInfo: response.versionInfo })
    settle?.resolve(response)
  })
  stream.on('error', (error: ServiceError) => settle?.reject(error))
  return {
    ask: (typeUrl, names = []) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject }
        send({ typeUrl, resourceNames: [...names], responseNonce: new Date().toISOString() })
      }),
    get answers() {
      return answers
    },
    close: () => {
      stream.cancel()
      client.close()
    },
  }
}
