/**
 * The mesh as the xDS server's source: opens a session for a node that has proven who it is, passes its sets through, and keeps
 * from it what it may not see.
 */
import { type ObjectRef, objectName } from '@lateen/base'
import { HEALTH_REPORT, type ResourceSet, TYPE_URL } from '@lateen/envoy'
import type { MeshState, ProxySession } from '@lateen/translate'
import {
  type PeerIdentity,
  type Rejection,
  type ResourceSource,
  type Session,
  type SessionOptions,
  SessionRefused,
  type XdsNode,
} from '@lateen/xds'
import type { TrustResources } from '../certificates/trust-resources.ts'
import { authorizeNode } from '../identity/node-authorization.ts'
import type { ProvenAccount } from '../workload-entries/entry.ts'
import type { ConnectedWorkload, WorkloadRegistry } from '../workload-entries/registry.ts'
import { culprits, RejectionLedger, type RejectionListener } from './rejections.ts'
import type { SecretAccess } from './secret-access.ts'

export interface MeshSourceOptions {
  readonly mesh: MeshState
  readonly checkIdentity: boolean
  /** Without one (no Kubernetes) a proven namespace is enough. */
  readonly secretAccess: SecretAccess | undefined
  readonly rejections: RejectionListener
  /** Absent where there is nowhere to write WorkloadEntries to. */
  readonly workloads: WorkloadRegistry | undefined
  /** What proxies are told of trust. */
  readonly trust: TrustResources
}

export interface OpenSession {
  readonly node: XdsNode
  resources(typeUrl: string): ResourceSet
  origins(typeUrl: string, name: string): readonly ObjectRef[]
}

export interface MeshSource extends ResourceSource {
  /** The newest session of a node, by its id or by `pod.namespace`. */
  find(proxyId: string): OpenSession | undefined
  isRefused(object: ObjectRef): boolean
  /** What proxies are told of trust has changed. */
  trustChanged(): void
}

const NOTHING: ResourceSet = { parts: [] }

export function createMeshSource(options: MeshSourceOptions): MeshSource {
  return new MeshResourceSource(options)
}

class MeshResourceSource implements MeshSource {
  readonly #options: MeshSourceOptions
  readonly #sessions = new Map<Session, NodeSession>()
  readonly #ledger: RejectionLedger<Session>

  constructor(options: MeshSourceOptions) {
    this.#options = options
    this.#ledger = new RejectionLedger(options.rejections)
  }

  open(node: XdsNode, peer: PeerIdentity, options: SessionOptions, onChange: () => void): Session {
    const proven = this.#authorize(node, peer)
    const session = new NodeSession(node, proven, this.#options, (opened) => {
      this.#sessions.delete(opened)
      this.#ledger.close(opened)
    })
    session.begin(this.#options.mesh.open(node, options, onChange), onChange)
    session.attend(this.#options.workloads?.connect(node, proven))
    this.#sessions.set(session, session)
    return session
  }

  rejected({ session, typeUrl, names, message }: Rejection): void {
    const known = this.#sessions.get(session)
    if (!known) return
    const refused = culprits(names, message).map((name) => ({ name, origins: uniqueOrigins(known.origins(typeUrl, name)) }))
    this.#ledger.reject(session, typeUrl, known.node.id, refused, message)
  }

  accepted(session: Session, typeUrl: string): void {
    this.#ledger.accept(session, typeUrl)
  }

  reported(session: Session, typeUrl: string, problem: string | undefined): boolean {
    if (typeUrl !== HEALTH_REPORT) return false
    this.#sessions.get(session)?.workload?.report(problem)
    return true
  }

  find(proxyId: string): OpenSession | undefined {
    let found: NodeSession | undefined
    for (const session of this.#sessions.values()) {
      if (session.node.id === proxyId || session.node.id.split('~')[2] === proxyId) found = session
    }
    return found
  }

  isRefused(object: ObjectRef): boolean {
    return this.#ledger.isRefused(object)
  }

  trustChanged(): void {
    for (const session of this.#sessions.values()) session.changed()
  }

  #authorize(node: XdsNode, peer: PeerIdentity): ProvenAccount | undefined {
    if (peer.identities.length === 0) return undefined
    const result = authorizeNode(node, peer.identities)
    if (!('refused' in result)) return result
    if (this.#options.checkIdentity) throw new SessionRefused(result.refused)
    return undefined
  }
}

class NodeSession implements Session, OpenSession {
  readonly node: XdsNode
  readonly #proven: ProvenAccount | undefined
  readonly #options: MeshSourceOptions
  readonly #onClose: (session: NodeSession) => void
  #inner: ProxySession | undefined
  #onChange: () => void = () => undefined
  #workload: ConnectedWorkload | undefined
  #refusal: unknown
  readonly #rightChanged = (): void => this.changed()

  constructor(node: XdsNode, proven: ProvenAccount | undefined, options: MeshSourceOptions, onClose: (session: NodeSession) => void) {
    this.node = node
    this.#proven = proven
    this.#options = options
    this.#onClose = onClose
  }

  begin(inner: ProxySession, onChange: () => void): void {
    this.#inner = inner
    this.#onChange = onChange
  }

  /** The session ends when its workload turns out not to be what it says. */
  attend(workload: ConnectedWorkload | undefined): void {
    this.#workload = workload
    workload?.registered.catch((refusal: unknown) => {
      this.#refusal = refusal
      if (this.#inner) this.#onChange()
    })
  }

  get workload(): ConnectedWorkload | undefined {
    return this.#workload
  }

  /** A set of this session may have changed. */
  changed(): void {
    if (this.#inner) this.#onChange()
  }

  /** @throws SessionRefused when the session must end */
  resources(typeUrl: string): ResourceSet {
    if (!this.#inner) return NOTHING
    if (this.#refusal) throw this.#refusal
    const trust = this.#options.trust.resources(typeUrl)
    if (trust) return trust
    const resources = this.#inner.resources(typeUrl)
    if (typeUrl !== TYPE_URL.SDS) return resources
    // What its Gateways were granted needs no right of the account, but a proof of who asks.
    const without = this.#proven ? withoutRight : withoutSecrets
    return resources.parts.every(this.#proven ? needsNoRight : isOpen) || this.#maySeeSecrets() ? resources : without(resources)
  }

  origins(typeUrl: string, name: string): readonly ObjectRef[] {
    return this.#inner ? this.#options.mesh.origins(this.#inner, typeUrl, name) : []
  }

  close(): void {
    this.#inner?.close()
    this.#inner = undefined
    if (this.#proven) this.#options.secretAccess?.forget(this.#proven, this.#rightChanged)
    this.#workload?.close()
    this.#onClose(this)
  }

  /** Secrets go to a proxy that has proven which service account it runs as, if that account may read them. */
  #maySeeSecrets(): boolean {
    const proven = this.#proven
    if (!proven) return false
    const { secretAccess } = this.#options
    return secretAccess ? secretAccess.mayRead(proven, this.#rightChanged) === true : true
  }
}

/** Authorities in ConfigMaps are for everyone; they are in parts of their own. */
const isOpen = (part: ResourceSet['parts'][number]): boolean => [...part.keys()].every((name) => name.startsWith('configmap://'))

/** Secrets that references of the Gateway API were granted are in parts of their own too. */
const needsNoRight = (part: ResourceSet['parts'][number]): boolean =>
  isOpen(part) || [...part.keys()].every((name) => name.startsWith('kubernetes-gateway://'))

const withoutSecrets = onlyParts(isOpen)
const withoutRight = onlyParts(needsNoRight)

/** One set for one set, so that the server sees whether something changed. */
function onlyParts(keeps: (part: ResourceSet['parts'][number]) => boolean): (resources: ResourceSet) => ResourceSet {
  const sets = new WeakMap<ResourceSet, ResourceSet>()
  return (resources) => {
    const known = sets.get(resources)
    if (known) return known
    const parts = resources.parts.filter(keeps)
    const set = parts.length > 0 ? { parts } : NOTHING
    sets.set(resources, set)
    return set
  }
}

function uniqueOrigins(origins: readonly ObjectRef[]): ObjectRef[] {
  return [...new Map(origins.map((origin) => [objectName(origin), origin])).values()]
}
