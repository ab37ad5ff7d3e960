/**
 * A client of the protocol that does as Envoy does, but holds texts instead of configuration, answers when it is told to, and
 * remembers everything that it was sent. Delta and state of the world.
 */
import { Client, type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js'
import { TYPE_URL } from '@lateen/envoy'
import {
  readDeltaResponse,
  readSotwResponse,
  writeDeltaRequest,
  writeSotwRequest,
} from '../src/protocol/messages.ts'
import { DELTA_PATH, passThrough, SOTW_PATH } from '../src/protocol/service.ts'
import { textSize, WireReader, WireWriter } from '../src/protocol/wire.ts'

export interface ProxyOptions {
  readonly port: number
  readonly delta: boolean
  /** `envoy` of a version that takes virtual hosts apart from route configurations, unless told otherwise. */
  readonly agent?: string
  readonly id?: string
  /** Why a resource is refused, or nothing. One refusal refuses the whole response. */
  readonly refuses?: (name: string, bytes: Uint8Array) => string | undefined
}

export interface Received {
  readonly typeUrl: string
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  readonly bytes: number
}

interface TypeState {
  wildcard: boolean
  readonly names: Set<string>
  readonly held: Map<string, Buffer>
  readonly versions: Map<string, string>
  version: string
  nonce: string
}

export class SimulatedProxy {
  readonly received: Received[] = []
  readonly refusals: string[] = []
  error = ''
  readonly #options: ProxyOptions
  readonly #types = new Map<string, TypeState>()
  #client: Client
  #call: ClientDuplexStream<Buffer, Buffer> | undefined
  #answers: Buffer[] = []
  #holding = false
  #nodeSent = false

  constructor(options: ProxyOptions) {
    this.#options = options
    this.#client = this.#newClient()
  }

  /** Opens the stream, or another one after dropping the first; says what it subscribed to and holds, as Envoy does. */
  connect(): void {
    this.#call?.cancel()
    this.#client.close()
    this.#client = this.#newClient()
    this.#nodeSent = false
    this.#answers = []
    const path = this.#options.delta ? DELTA_PATH : SOTW_PATH
    const call = this.#client.makeBidiStreamRequest(path, passThrough, passThrough, new Metadata())
    this.#call = call
    call.on('data', (message: Buffer) => {
      if (this.#call !== call) return
      if (this.#options.delta) this.#takeDelta(message)
      else this.#takeSotw(message)
    })
    call.on('error', (error) => {
      if (this.#call === call) this.error = error.message
    })
    for (const [typeUrl, type] of this.#types) {
      type.nonce = ''
      if (type.wildcard || type.names.size > 0) this.#ask(typeUrl, type, [...type.names], type.versions)
    }
  }

  /** Subscribes to names of a type; without names, to everything. */
  subscribe(typeUrl: string, names?: readonly string[]): void {
    let type = this.#types.get(typeUrl)
    const known = type !== undefined
    if (!type) {
      type = { wildcard: !names, names: new Set(), held: new Map(), versions: new Map(), version: '', nonce: '' }
      this.#types.set(typeUrl, type)
    }
    const fresh = (names ?? []).filter((name) => !type.names.has(name))
    for (const name of fresh) type.names.add(name)
    if (!known || fresh.length > 0) this.#ask(typeUrl, type, fresh, new Map())
  }

  unsubscribe(typeUrl: string, names: readonly string[]): void {
    const type = this.#types.get(typeUrl)
    const gone = names.filter((name) => type?.names.delete(name))
    if (!type || gone.length === 0) return
    for (const name of gone) this.#drop(typeUrl, type, name)
    if (this.#options.delta) this.#send(writeDeltaRequest({ typeUrl, ...this.#node(), unsubscribe: gone }))
    else this.#ask(typeUrl, type, [], new Map())
  }

  /** What is held of a type, as text. */
  held(typeUrl: string): Record<string, string> {
    const entries = Array.from(this.#types.get(typeUrl)?.held ?? [], ([name, bytes]): [string, string] => [name, bytes.toString('latin1')])
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Keeps answers back until `answerAll`. */
  holdAnswers(): void {
    this.#holding = true
  }

  answerAll(): void {
    this.#holding = false
    for (const answer of this.#answers.splice(0)) this.#send(answer)
  }

  /** How many responses wait for an answer. */
  get unanswered(): number {
    return this.#answers.length
  }

  /** Stops reading from the connection. */
  stopReading(): void {
    this.#call?.pause()
  }

  read(): void {
    this.#call?.resume()
  }

  close(): void {
    const call = this.#call
    this.#call = undefined
    call?.on('error', () => undefined)
    call?.cancel()
    this.#client.close()
  }

  #newClient(): Client {
    return new Client(`127.0.0.1:${this.#options.port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      'grpc-node.flow_control_window': 65_535,
    })
  }

  #ask(typeUrl: string, type: TypeState, names: readonly string[], initialVersions: ReadonlyMap<string, string>): void {
    if (this.#options.delta) this.#send(writeDeltaRequest({ typeUrl, ...this.#node(), subscribe: names, initialVersions }))
    else this.#send(writeSotwRequest({ typeUrl, ...this.#node(), names: [...type.names], version: type.version, nonce: type.nonce }))
  }

  #takeDelta(message: Buffer): void {
    const { typeUrl, nonce, resources, removed } = readDeltaResponse(message)
    this.received.push({ typeUrl, changed: resources.map((r) => r.name), removed, bytes: message.length })
    const type = this.#types.get(typeUrl)
    if (!type) return
    const refusal = this.#refusal(resources.flatMap((r) => (r.bytes ? [{ name: r.name, bytes: r.bytes }] : [])))
    if (refusal !== undefined) return this.#answer(writeDeltaRequest({ typeUrl, nonce, error: { code: 13, message: refusal } }))
    for (const { name, bytes, version } of resources) {
      if (!bytes) this.#drop(typeUrl, type, name)
      else if (type.wildcard || type.names.has(name)) {
        type.held.set(name, Buffer.from(bytes))
        type.versions.set(name, version)
      }
    }
    for (const name of removed) this.#drop(typeUrl, type, name)
    this.#answer(writeDeltaRequest({ typeUrl, nonce }))
  }

  #takeSotw(message: Buffer): void {
    const { typeUrl, nonce, version, resources } = readSotwResponse(message)
    const named = resources.map(({ bytes }) => ({ name: nameIn(bytes), bytes }))
    this.received.push({ typeUrl, changed: named.map((r) => r.name), removed: [], bytes: message.length })
    const type = this.#types.get(typeUrl)
    if (!type) return
    type.nonce = nonce
    const refusal = this.#refusal(named)
    if (refusal === undefined) {
      type.version = version
      if (type.wildcard) type.held.clear()
      for (const { name, bytes } of named) if (type.wildcard || type.names.has(name)) type.held.set(name, Buffer.from(bytes))
    }
    const error = refusal === undefined ? {} : { error: { code: 13, message: refusal } }
    this.#answer(writeSotwRequest({ typeUrl, names: [...type.names], version: type.version, nonce, ...error }))
  }

  #refusal(resources: readonly { readonly name: string; readonly bytes: Uint8Array }[]): string | undefined {
    for (const { name, bytes } of resources) {
      const reason = this.#options.refuses?.(name, bytes)
      if (reason === undefined) continue
      this.refusals.push(name)
      return reason
    }
    return undefined
  }

  #drop(typeUrl: string, type: TypeState, name: string): void {
    type.held.delete(name)
    type.versions.delete(name)
    // As Envoy: virtual hosts go with their route configuration, and nobody is told.
    const hosts = typeUrl === TYPE_URL.RDS ? this.#types.get(TYPE_URL.VHDS) : undefined
    for (const host of [...(hosts?.held.keys() ?? [])]) {
      if (!host.startsWith(`${name}/`)) continue
      hosts?.held.delete(host)
      hosts?.versions.delete(host)
    }
  }

  #answer(message: Buffer): void {
    if (this.#holding) this.#answers.push(message)
    else this.#send(message)
  }

  #send(message: Buffer): void {
    this.#call?.write(message)
  }

  #node(): { node?: Buffer } {
    if (this.#nodeSent) return {}
    this.#nodeSent = true
    return { node: node(this.#options.id ?? 'sidecar~10.0.0.1~a.b~b.svc.cluster.local', this.#options.agent ?? 'envoy') }
  }
}

/** An encoded Node of version 1.40.0. */
export function node(id: string, agent: string): Buffer {
  const writer = new WireWriter(textSize(id) + textSize(agent) + textSize('1.40.0'))
  writer.text(1, id)
  writer.text(6, agent)
  writer.text(7, '1.40.0')
  return writer.buffer
}

function nameIn(bytes: Uint8Array): string {
  const reader = new WireReader(Buffer.from(bytes))
  while (reader.next()) if (reader.field === 1) return reader.text()
  return ''
}

/** Types by the short names that tests use. */
export const T = TYPE_URL
