/**
 * Questions that come over the discovery protocol and are answered once: no node, no session, nothing that is pushed later. Debug
 * pages are asked for so (`istio.io/debug`), by whoever can reach no other port.
 */
import { createHash } from 'node:crypto'
import { type ServerDuplexStream, status as Status } from '@grpc/grpc-js'
import { readDeltaRequest, readSotwRequest, writeDeltaResources, writeDeltaResponse, writeSotwResponse } from '../protocol/messages.ts'
import { WireReader } from '../protocol/wire.ts'
import type { PeerIdentity } from '../resource-source.ts'
import { StreamError } from './stream.ts'

export interface Question {
  readonly typeUrl: string
  readonly names: readonly string[]
  readonly peer: PeerIdentity
}

export interface AnswerPart {
  readonly name: string
  /** Of the message in `bytes`. */
  readonly typeUrl: string
  readonly bytes: Uint8Array
}

export interface Inquiries {
  /** Whether requests of this type are questions. */
  takes(typeUrl: string): boolean
  /** @throws SessionRefused when the peer may not know */
  answer(question: Question): Promise<readonly AnswerPart[]>
}

/** Questions of one stream that may wait for their answers. */
const MOST_WAITING = 8
const NONCE = 'answer-'

/** One stream's questions, answered in their order. */
export class Inquirer {
  readonly #inquiries: Inquiries
  readonly #call: ServerDuplexStream<Buffer, Buffer>
  readonly #stream: { readonly peer: PeerIdentity; readonly delta: boolean; readonly identifier: string }
  readonly #fail: (error: unknown) => void
  #last: Promise<void> = Promise.resolve()
  #waiting = 0
  #answered = 0

  constructor(
    inquiries: Inquiries,
    call: ServerDuplexStream<Buffer, Buffer>,
    stream: { readonly peer: PeerIdentity; readonly delta: boolean; readonly identifier: string },
    fail: (error: unknown) => void,
  ) {
    this.#inquiries = inquiries
    this.#call = call
    this.#stream = stream
    this.#fail = fail
  }

  /**
   * Takes one request; the acknowledgement of an answer is none.
   *
   * @throws StreamError, WireError when the stream must end
   */
  receive(message: Buffer): void {
    const { typeUrl, names, nonce } = this.#read(message)
    if (!this.#inquiries.takes(typeUrl)) {
      throw new StreamError(Status.INVALID_ARGUMENT, `a stream that asks questions cannot subscribe to ${typeUrl}`)
    }
    if (this.#isOurs(nonce)) return
    if (this.#waiting >= MOST_WAITING) throw new StreamError(Status.RESOURCE_EXHAUSTED, `more than ${MOST_WAITING} questions wait`)
    this.#waiting += 1
    this.#last = this.#last.then(() => this.#answer({ typeUrl, names, peer: this.#stream.peer })).catch(this.#fail)
  }

  #read(message: Buffer): { typeUrl: string; names: readonly string[]; nonce: string } {
    if (!this.#stream.delta) return readSotwRequest(message)
    const { typeUrl, subscribe, nonce } = readDeltaRequest(message)
    return { typeUrl, names: subscribe, nonce }
  }

  async #answer(question: Question): Promise<void> {
    const parts = await this.#inquiries.answer(question)
    this.#waiting -= 1
    this.#answered += 1
    const nonce = `${NONCE}${this.#answered}`
    if (!this.#call.writable) return
    this.#call.write(this.#stream.delta ? this.#delta(question, nonce, parts) : this.#sotw(question, nonce, parts))
  }

  /** Clients put what they like into the nonce of a question (istioctl: the time). */
  #isOurs(nonce: string): boolean {
    return nonce.startsWith(NONCE) && Number(nonce.slice(NONCE.length)) <= this.#answered
  }

  /** Clients take an answer without a version for none. */
  #sotw({ typeUrl }: Question, nonce: string, parts: readonly AnswerPart[]): Buffer {
    return writeSotwResponse({ typeUrl, nonce, version: versionOf(parts), resources: parts }, this.#stream.identifier)
  }

  #delta({ typeUrl }: Question, nonce: string, parts: readonly AnswerPart[]): Buffer {
    const version = versionOf(parts)
    const fragments = parts.map((part) => writeDeltaResources(part.typeUrl, [{ name: part.name, version, bytes: part.bytes }]))
    const response = { typeUrl, nonce, systemVersion: version, resources: [], removed: [] }
    return writeDeltaResponse(response, this.#stream.identifier, fragments)
  }
}

function versionOf(parts: readonly AnswerPart[]): string {
  const hash = createHash('sha256')
  for (const { name, bytes } of parts) hash.update(name).update(bytes)
  return hash.digest('base64url').slice(0, 22)
}

const TYPE_FIELD = { sotw: 4, delta: 2 } as const

/** The type that a request names, without reading the rest. @throws WireError */
export function requestedType(message: Buffer, form: keyof typeof TYPE_FIELD): string {
  const reader = new WireReader(message)
  while (reader.next()) if (reader.field === TYPE_FIELD[form]) return reader.text()
  return ''
}
