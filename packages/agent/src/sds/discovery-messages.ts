/** The discovery requests and responses that the secret server speaks, in both variants. */
import { lengthField, readFields } from '../grpc/protobuf.ts'
import { type EncodedSecret, SECRET_TYPE } from './secret.ts'

/** What one request says, whichever variant it came in. */
export interface SecretRequest {
  /** State of the world: all names wanted now. Delta: names added. */
  readonly names: readonly string[]
  /** Delta: names no longer wanted. */
  readonly unsubscribed: readonly string[]
  readonly nonce: string
  /** Why the last response was refused; absent when it was not. */
  readonly refusal?: string
}

/** envoy.service.discovery.v3.DiscoveryRequest: resource_names = 3, response_nonce = 5, error_detail = 6. */
export function readRequest(message: Buffer): SecretRequest {
  return read(message, { names: 3, unsubscribed: -1, nonce: 5, refusal: 6 })
}

/** DeltaDiscoveryRequest: resource_names_subscribe = 3, resource_names_unsubscribe = 4, response_nonce = 6, error_detail = 7. */
export function readDeltaRequest(message: Buffer): SecretRequest {
  return read(message, { names: 3, unsubscribed: 4, nonce: 6, refusal: 7 })
}

function read(message: Buffer, numbers: { names: number; unsubscribed: number; nonce: number; refusal: number }): SecretRequest {
  const names: string[] = []
  const unsubscribed: string[] = []
  let nonce = ''
  let refusal: string | undefined
  for (const { number, bytes } of readFields(message)) {
    if (number === numbers.names) names.push(bytes.toString('utf8'))
    else if (number === numbers.unsubscribed) unsubscribed.push(bytes.toString('utf8'))
    else if (number === numbers.nonce) nonce = bytes.toString('utf8')
    else if (number === numbers.refusal) refusal = statusMessage(bytes)
  }
  return { names, unsubscribed, nonce, ...(refusal === undefined ? {} : { refusal }) }
}

/** google.rpc.Status: message = 2. */
function statusMessage(status: Buffer): string {
  for (const { number, bytes } of readFields(status)) if (number === 2) return bytes.toString('utf8')
  return ''
}

const any = (secret: EncodedSecret): Buffer => Buffer.concat([lengthField(1, SECRET_TYPE), lengthField(2, secret.bytes)])

/** DiscoveryResponse: version_info = 1, resources = 2, type_url = 4, nonce = 5. */
export function response(secrets: readonly EncodedSecret[], nonce: string): Buffer {
  const version = secrets.map((s) => s.version).join('')
  return Buffer.concat([
    lengthField(1, version),
    ...secrets.map((s) => lengthField(2, any(s))),
    lengthField(4, SECRET_TYPE),
    lengthField(5, nonce),
  ])
}

/** DeltaDiscoveryResponse: system_version_info = 1, resources = 2, type_url = 4, nonce = 5. Resource: version = 1, resource = 2, name = 3. */
export function deltaResponse(secrets: readonly EncodedSecret[], nonce: string): Buffer {
  const resource = (s: EncodedSecret) => Buffer.concat([lengthField(1, s.version), lengthField(2, any(s)), lengthField(3, s.name)])
  return Buffer.concat([...secrets.map((s) => lengthField(2, resource(s))), lengthField(4, SECRET_TYPE), lengthField(5, nonce)])
}
