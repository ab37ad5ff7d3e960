/** A ResourceSource over plain maps, for tests: what is put in is what every node sees. */
import { createHash } from 'node:crypto'
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { typeUrl } from '@lateen/envoy'
import {
  type PeerIdentity,
  type Rejection,
  type Resource,
  type ResourceSet,
  type ResourceSource,
  type Session,
  SessionRefused,
  type SessionOptions,
  type XdsNode,
} from '../src/resource-source.ts'

/** The type of what clients say of themselves. */
export const REPORT = 'type.googleapis.com/test.Report'

export class MemorySource implements ResourceSource {
  readonly opened: { node: XdsNode; peer: PeerIdentity; options: SessionOptions }[] = []
  readonly rejections: Rejection[] = []
  readonly acceptances: string[] = []
  readonly reports: (string | undefined)[] = []
  /** Why every node is refused, when set. */
  refusal = ''
  readonly #types = new Map<string, Map<string, Resource>>()
  readonly #sets = new Map<string, ResourceSet>()
  readonly #listeners = new Set<() => void>()

  get sessions(): number {
    return this.#listeners.size
  }

  open(node: XdsNode, peer: PeerIdentity, options: SessionOptions, onChange: () => void): Session {
    if (this.refusal !== '') throw new SessionRefused(this.refusal)
    this.opened.push({ node, peer, options })
    this.#listeners.add(onChange)
    return { resources: (type) => this.set(type), close: () => void this.#listeners.delete(onChange) }
  }

  rejected(rejection: Rejection): void {
    this.rejections.push(rejection)
  }

  accepted(_session: Session, type: string): void {
    this.acceptances.push(type)
  }

  reported(_session: Session, type: string, problem: string | undefined): boolean {
    if (type !== REPORT) return false
    this.reports.push(problem)
    return true
  }

  /** The newest set of a type. Resources are dealt out over a few parts, by name. */
  set(type: string): ResourceSet {
    let set = this.#sets.get(type)
    if (!set) {
      const parts = [0, 1, 2].map(() => new Map<string, Resource>())
      for (const resource of this.#types.get(type)?.values() ?? []) parts[resource.name.length % 3]?.set(resource.name, resource)
      this.#sets.set(type, (set = { parts }))
    }
    return set
  }

  put(type: string, resource: Resource): void {
    let resources = this.#types.get(type)
    if (!resources) this.#types.set(type, (resources = new Map()))
    resources.set(resource.name, resource)
    this.#sets.delete(type)
  }

  putMessage<D extends DescMessage>(name: string, schema: D, init: MessageInitShape<D>): void {
    this.put(typeUrl(schema), resource(name, toBinary(schema, create(schema, init))))
  }

  remove(type: string, name: string): void {
    this.#types.get(type)?.delete(name)
    this.#sets.delete(type)
  }

  /** Tells all sessions of what was put and removed. */
  publish(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/** A resource whose version is the hash of its bytes. */
export function resource(name: string, bytes: Uint8Array): Resource {
  return { name, version: createHash('sha256').update(bytes).digest('base64url').slice(0, 12), bytes }
}

/** A resource with some text instead of a message, for clients that do not look inside. */
export function textResource(name: string, text: string): Resource {
  return resource(name, Buffer.from(`\x0a${String.fromCharCode(name.length)}${name}\x7a${String.fromCharCode(text.length)}${text}`))
}
