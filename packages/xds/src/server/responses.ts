/** Turns steps between two views into response messages: delta, and state of the world. */
import { createHash } from 'node:crypto'
import { TYPE_URL } from '@lateen/envoy'
import { type DeltaResource, writeDeltaResources, writeDeltaResponse, writeSotwResponse } from '../protocol/messages.ts'
import { textSize, WireWriter } from '../protocol/wire.ts'
import type { Resource, ResourceSet } from '../resource-source.ts'
import type { Encoded, PushCache } from './pushes.ts'
import type { Held } from './subscription.ts'
import { resourcesOf, type Steps, type View } from './views.ts'

/** The version of a stand-in for a resource that does not exist. */
export const ABSENT_VERSION = 'absent'

/** One of the two forms of the protocol. */
export interface ResponseEncoder {
  /** Whether the protocol can express any of these steps. */
  says(steps: Steps, to: View): boolean
  /** @param exceptions what the client holds otherwise than the view says, after these steps */
  encode(steps: Steps, to: View, exceptions: ReadonlyMap<string, Held | undefined> | undefined): Encoded
  /** A version for all that a view shows; empty when the protocol has versions of resources only. */
  stateVersion(view: View): string
}

export class DeltaEncoder implements ResponseEncoder {
  readonly #typeUrl: string
  readonly #pushes: PushCache
  readonly #identifier: string

  constructor(typeUrl: string, pushes: PushCache, identifier: string) {
    this.#typeUrl = typeUrl
    this.#pushes = pushes
    this.#identifier = identifier
  }

  says(steps: Steps): boolean {
    return steps.changed.length > 0 || steps.removed.length > 0 || steps.unknown.length > 0
  }

  encode(steps: Steps, to: View): Encoded {
    const nonce = this.#pushes.nextNonce()
    const typeUrl = this.#typeUrl
    const resources = steps.whole ? [] : steps.changed.map((resource) => this.#entry(resource))
    const fragments = steps.whole ? to.set.parts.map((part) => this.#fragment(part)) : []
    const removed = [...steps.removed]
    for (const name of steps.unknown) {
      const standIn = standInFor(typeUrl, name)
      if (standIn) resources.push(standIn)
      else removed.push(name)
    }
    return { body: writeDeltaResponse({ typeUrl, nonce, systemVersion: '', resources, removed }, this.#identifier, fragments), nonce }
  }

  #fragment(part: ReadonlyMap<string, Resource>): Buffer {
    return this.#pushes.fragment(part, () =>
      writeDeltaResources(
        this.#typeUrl,
        Array.from(part.values(), (resource) => this.#entry(resource)),
      ),
    )
  }

  #entry(resource: Resource): DeltaResource {
    return this.#typeUrl === TYPE_URL.VHDS ? { ...resource, aliases: [resource.name] } : resource
  }

  stateVersion(): string {
    return ''
  }
}

/**
 * What is said of a name that does not exist, where `removed_resources` is the wrong word: Envoy never becomes ready when a route
 * configuration that it waits for is "removed", and a request that waits for a virtual host hangs until it is told by an alias
 * without a resource.
 */
function standInFor(typeUrl: string, name: string): DeltaResource | undefined {
  if (typeUrl === TYPE_URL.VHDS) return { name, version: ABSENT_VERSION, aliases: [name] }
  if (typeUrl !== TYPE_URL.RDS) return undefined
  const writer = new WireWriter(textSize(name))
  writer.text(1, name)
  return { name, version: ABSENT_VERSION, bytes: writer.buffer }
}

export class SotwEncoder implements ResponseEncoder {
  readonly #typeUrl: string
  readonly #pushes: PushCache
  readonly #identifier: string

  constructor(typeUrl: string, pushes: PushCache, identifier: string) {
    this.#typeUrl = typeUrl
    this.#pushes = pushes
    this.#identifier = identifier
  }

  says(steps: Steps, to: View): boolean {
    if (steps.changed.length > 0) return true
    // Only a full list can say that something is gone. For route configurations that are named but unknown, see standInFor.
    if (to.selection.wildcard) return steps.removed.length > 0
    return this.#typeUrl === TYPE_URL.RDS && steps.unknown.length > 0
  }

  encode(steps: Steps, to: View, exceptions: ReadonlyMap<string, Held | undefined> | undefined): Encoded {
    const nonce = this.#pushes.nextNonce()
    const whole = this.stateVersion(to)
    const version = exceptions ? `${whole}-${nonce}` : whole
    const resources: { bytes: Uint8Array }[] = to.selection.wildcard ? everything(to, exceptions) : [...steps.changed]
    for (const name of to.selection.wildcard ? [] : steps.unknown) {
      const standIn = standInFor(this.#typeUrl, name)
      if (standIn?.bytes) resources.push({ bytes: standIn.bytes })
    }
    return { body: writeSotwResponse({ typeUrl: this.#typeUrl, nonce, version, resources }, this.#identifier), nonce }
  }

  stateVersion(view: View): string {
    let byKey = stateVersions.get(view.set)
    if (!byKey) stateVersions.set(view.set, (byKey = new Map()))
    let version = byKey.get(view.selection.key)
    if (version === undefined) {
      if (byKey.size >= MAX_STATE_VERSIONS) byKey.clear()
      byKey.set(view.selection.key, (version = hashView(view)))
    }
    return version
  }
}

const MAX_STATE_VERSIONS = 256
const stateVersions = new WeakMap<ResourceSet, Map<string, string>>()

// Sorted, so that replicas that hold the same resources in another order agree.
function hashView(view: View): string {
  const lines = Array.from(resourcesOf(view), (resource) => `${resource.name}\0${resource.version}`).sort()
  return createHash('sha256').update(lines.join('\n')).digest('base64url').slice(0, 22)
}

function everything(view: View, exceptions: ReadonlyMap<string, Held | undefined> | undefined): { bytes: Uint8Array }[] {
  const result: { bytes: Uint8Array }[] = []
  for (const resource of resourcesOf(view)) if (!exceptions?.has(resource.name)) result.push(resource)
  for (const held of exceptions?.values() ?? []) if (held?.bytes) result.push({ bytes: held.bytes })
  return result
}
