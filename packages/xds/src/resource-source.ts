/**
 * What the xDS server asks of whoever makes resources. The server knows nothing of the mesh: it opens a session for each node,
 * reads immutable sets, and is told when a set may have changed.
 */
import type { Resource, ResourceSet } from '@lateen/envoy'

export type { Resource, ResourceSet }

/** What a stream must be sent to go from one set to another. */
export interface SetDifference {
  readonly changed: readonly Resource[]
  readonly removed: readonly string[]
}

/** The node as it introduced itself in its first request. */
export interface XdsNode {
  readonly id: string
  readonly cluster: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string }
  /** `envoy` for Envoy; `gRPC …` for proxyless clients. */
  readonly userAgentName: string
  /** `1.40.0`, or empty when unknown. */
  readonly userAgentVersion: string
}

/** Who is at the other end, as proven by the transport: SPIFFE URIs of a client certificate, or a verified token. */
export interface PeerIdentity {
  /** `spiffe://cluster.local/ns/shop/sa/cart`, …; empty on plaintext ports. */
  readonly identities: readonly string[]
  /** The client certificate that they are of (DER); absent where none was verified. */
  readonly certificate?: Buffer
  readonly address: string
  readonly encrypted: boolean
}

/** Refuses a session: the message goes to the client with PERMISSION_DENIED. */
export class SessionRefused extends Error {
  readonly code = 'PERMISSION_DENIED'
}

export interface SessionOptions {
  /** The client can take virtual hosts apart from their route configuration (delta Envoy ≥ 1.20). */
  readonly vhds: boolean
}

export interface Session {
  /**
   * Everything of one type that this node may see; the server filters by subscription. The same object is returned, to every
   * session of the same class, as long as nothing changed. Unknown types give an empty set.
   */
  resources(typeUrl: string): ResourceSet
  /** Ends the session; `onChange` is not called any more. */
  close(): void
}

/** A resource refused by a client. */
export interface Rejection {
  readonly session: Session
  readonly typeUrl: string
  /** Names in the response that was refused. Envoy's message usually names the culprit. */
  readonly names: readonly string[]
  readonly message: string
}

export interface ResourceSource {
  /**
   * Starts a session for a node. `onChange` is called, once a batch of changes, when any of the node's sets may have changed.
   *
   * @throws SessionRefused when the identity may not act for this node
   */
  open(node: XdsNode, peer: PeerIdentity, options: SessionOptions, onChange: () => void): Session
  /** A client refused resources; called once for each refusal. */
  rejected(rejection: Rejection): void
  /** A client now holds everything it was sent for a type. */
  accepted(session: Session, typeUrl: string): void
  /**
   * Takes a request that is no subscription, but a client's word on itself; `problem` is its error, absent when all is well.
   *
   * @returns whether it was one
   */
  reported?(session: Session, typeUrl: string, problem: string | undefined): boolean
}

const differences = new WeakMap<ResourceSet, WeakMap<ResourceSet, SetDifference>>()

/** The difference of two sets; computed once for a pair, however many streams ask. */
export function difference(from: ResourceSet, to: ResourceSet): SetDifference {
  let known = differences.get(from)
  if (!known) differences.set(from, (known = new WeakMap()))
  let result = known.get(to)
  if (!result) known.set(to, (result = compare(from, to)))
  return result
}

function compare(from: ResourceSet, to: ResourceSet): SetDifference {
  const shared = new Set(from.parts)
  const kept = new Set(to.parts)
  const before = new Map<string, string>()
  for (const part of from.parts) {
    if (!kept.has(part)) for (const resource of part.values()) before.set(resource.name, resource.version)
  }
  const changed: Resource[] = []
  for (const part of to.parts) {
    if (shared.has(part)) continue
    for (const resource of part.values()) {
      if (before.get(resource.name) !== resource.version) changed.push(resource)
      before.delete(resource.name)
    }
  }
  return { changed, removed: [...before.keys()] }
}
