/**
 * What the mesh trusts and who signs for it, at any moment: the CA that was found, a change of the root that is under way, the roots
 * that the mesh configuration adds. Everything else in the control plane asks here and nowhere else.
 */
import { X509Certificate } from 'node:crypto'
import { logger } from '@lateen/base'
import {
  CaError,
  type CertificateAuthority,
  isRevoked,
  joinTrustBundle,
  type OutsideCa,
  type RevocationList,
  readRevocationLists,
  splitCertificates,
  type TrustRoots,
} from '@lateen/ca'
import type { KubeClient } from '@lateen/kube'
import type { ConnectionStatus } from '@lateen/xds'
import { type CaSource, type CaSourceOptions, filesOf, newRoot, openCaSource } from './ca-source.ts'
import { type FurtherRoots, NO_FURTHER_ROOTS } from './further-roots.ts'
import { kubernetesSigner, serverCertificate } from './kubernetes-signer.ts'
import { Conductor } from './rotation/conductor.ts'
import { countProxyPods } from './rotation/proxy-pods.ts'
import { reportProgress } from './rotation/reporter.ts'
import { kubeStore, memoryStore, type RotationStore } from './rotation/store.ts'
import { factsOf, type TrustView, viewOf } from './rotation/view.ts'
import type { ServerTrust } from './server-certificate.ts'
import { createTrustResources, type TrustResources } from './trust-resources.ts'
import { ownSigner, type WorkloadSigner } from './workload-signer.ts'

/** A registration authority in front of the Kubernetes API (EXTERNAL_CA). */
export interface ExternalCa {
  readonly signer: string
  readonly signerDomain: string
  /** Its root, where it was mounted; empty when it was not. */
  readonly rootPem: string
}

export interface MeshTrustOptions extends Omit<CaSourceOptions, 'onChange'> {
  readonly externalCa: ExternalCa | undefined
  /** The signer of the Kubernetes API that signs for the control plane itself; absent where the own CA does. */
  readonly serverSigner: string | undefined
  /** Whether this control plane is the CA of the workloads; else it says nothing of their roots. */
  readonly enabled: boolean
  /** Whether revocation lists are passed on. */
  readonly revocation: boolean
  readonly replica: string
  readonly graceRatio: number
  readonly connections: () => readonly ConnectionStatus[]
  readonly formerTrustDomains: () => readonly string[]
  /** The roots are wherever they are mounted from or called with. */
  readonly distributed: () => boolean
  readonly onChange: (trust: MeshTrust) => void
}

export interface MeshTrust extends ServerTrust {
  readonly signer: WorkloadSigner
  /** Revocation lists for those who are told of roots by files. */
  readonly crlPem: string
  /** Whether the CA has revoked a certificate (DER). */
  isRevoked(certificate: Buffer): boolean
  readonly origin: string
  readonly resources: TrustResources
  /** Roots that the mesh configuration adds. */
  setFurtherRoots(further: FurtherRoots): void
  /** This replica conducts changes of the root until the signal. */
  lead(signal: AbortSignal): void
  stop(): void
}

const log = logger('ca')
const LONGEST_SPREAD_MS = 60_000
const SHORTEST_SPREAD_MS = 200
/** A certificate costs a millisecond or two to sign; configuration must get through meanwhile. */
const SPREAD_PER_PROXY_MS = 40

/** @throws CaError naming what is wrong with a CA that is there but cannot be used */
export async function openMeshTrust(options: MeshTrustOptions): Promise<MeshTrust> {
  const trust = new RunningMeshTrust(options)
  await trust.open()
  return trust
}

class RunningMeshTrust implements MeshTrust {
  readonly resources = createTrustResources()
  readonly signer: WorkloadSigner
  readonly #options: MeshTrustOptions
  readonly #stops: (() => void)[] = []
  #further: FurtherRoots = NO_FURTHER_ROOTS
  #opened: { readonly source: CaSource; readonly store: RotationStore; readonly conductor: Conductor } | undefined
  #view: TrustView | undefined
  #issuer = { rootPem: '', spreadMs: 0 }
  /** The lists of the text that they were read from. */
  #revoked: { readonly crlPem: string; readonly lists: readonly RevocationList[] } = { crlPem: '', lists: [] }

  constructor(options: MeshTrustOptions) {
    this.#options = options
    const { client, externalCa } = options
    this.signer =
      externalCa && client
        ? kubernetesSigner({
            ...{ client, ...externalCa },
            formerTrustDomains: options.formerTrustDomains,
            rootsOf: (name) => this.#rootsOf(name),
            defaultTtlMs: options.defaultTtlMs ?? 0,
            maxTtlMs: options.maxTtlMs ?? Number.POSITIVE_INFINITY,
          })
        : ownSigner(() => this.#view?.signing)
  }

  async open(): Promise<void> {
    const { client, namespace, graceRatio, replica, connections } = this.#options
    const store = await this.#openStore(client, namespace)
    this.#stops.push(() => store.stop())
    const source = await openCaSource({ ...this.#options, onChange: () => this.#changed() })
    this.#stops.push(() => source.stop())
    const pods = countProxyPods(client)
    const conductor = new Conductor({
      store,
      source,
      signing: () => this.#view?.files,
      outside: () => this.#outside,
      makeRoot: () => filesOf(newRoot(this.#options, `root of ${new Date().toISOString().slice(0, 19)}Z`)),
      facts: async () => ({
        proxyPods: await pods(),
        distributed: this.#options.distributed(),
        certificateLifeMs: this.#options.defaultTtlMs ?? 86_400_000,
      }),
      graceRatio,
      now: Date.now,
    })
    this.#stops.push(() => conductor.stop())
    this.#opened = { source, store, conductor }
    this.#stops.push(reportProgress({ store, replica, connections, inForceSince: (typeUrl) => this.resources.since(typeUrl) }))
    this.#recompute()
    const outside = this.#outside
    log.info(outside ? `${outside.name} signs for workloads` : `signing with the CA of ${this.origin}`)
  }

  get serving(): CertificateAuthority {
    return this.#inForce.serving
  }

  get serverSigner(): ServerTrust['serverSigner'] {
    const { client, serverSigner: name, defaultTtlMs = 0 } = this.#options
    if (!name || !client) return undefined
    const rootsPem = this.#rootsOf(name)
    return { rootsPem, sign: (dnsNames) => serverCertificate(name, { dnsNames, rootsPem }, { client, defaultTtlMs }) }
  }

  get rootsPem(): string {
    const { externalCa, serverSigner } = this.#options
    // Where signers outside do everything, the own CA vouches for nobody.
    const own = externalCa && serverSigner ? '' : this.#inForce.rootsPem
    return join(own, externalCa?.rootPem ?? '', ...Object.values(this.#further.bySigner), this.#further.ownPem)
  }

  get crlPem(): string {
    return this.#options.revocation ? this.#inForce.crlPem : ''
  }

  isRevoked(certificate: Buffer): boolean {
    const { crlPem } = this
    if (crlPem === '') return false
    if (this.#revoked.crlPem !== crlPem) this.#revoked = { crlPem, lists: readRevocationLists(crlPem) }
    return isRevoked(new X509Certificate(certificate), this.#revoked.lists)
  }

  get origin(): string {
    return this.#opened?.source.current.origin ?? ''
  }

  setFurtherRoots(further: FurtherRoots): void {
    this.#further = further
    this.#changed()
  }

  lead(signal: AbortSignal): void {
    this.#opened?.conductor.lead(signal)
  }

  stop(): void {
    for (const stop of this.#stops.splice(0).reverse()) stop()
    this.#opened = undefined
  }

  get #outside(): OutsideCa | undefined {
    const { externalCa, enabled } = this.#options
    if (!enabled) return { name: 'another server', roots: [] }
    if (!externalCa) return undefined
    const { signer, signerDomain, rootPem } = externalCa
    const roots = join(rootPem, ...Object.values(this.#further.bySigner))
    return {
      name: `the signer ${signer || `that each proxy names, of ${signerDomain},`} of the Kubernetes API`,
      roots: roots === '' ? [] : splitCertificates(roots, 'the roots').map(factsOf),
    }
  }

  #rootsOf(signer: string): string {
    return this.#further.bySigner[signer] ?? this.#options.externalCa?.rootPem ?? ''
  }

  get #inForce(): TrustView {
    if (!this.#view) throw new Error('the CA is there once the control plane has started')
    return this.#view
  }

  #openStore(client: KubeClient | undefined, namespace: string): Promise<RotationStore> {
    const changed = () => this.#changed()
    return client ? kubeStore(client, namespace, changed) : Promise.resolve(memoryStore(changed))
  }

  #changed(): void {
    if (!this.#opened) return
    const before = this.#view
    const filesBefore = this.rootsPem + this.crlPem
    const differs = this.#recompute()
    this.#opened.conductor.wake()
    if (differs || before?.serving !== this.#view?.serving || filesBefore !== this.rootsPem + this.crlPem) this.#options.onChange(this)
  }

  /** @returns whether proxies are told something else now */
  #recompute(): boolean {
    const opened = this.#opened
    if (!opened) return false
    try {
      this.#view = keepAuthorities(viewOf(opened.source.current, opened.store, this.#view, this.#options), this.#view)
    } catch (error) {
      if (!(error instanceof CaError) || !this.#view) throw error
      log.error(`the CA of a change of the root cannot be used; what was in force stays: ${error.message}`)
    }
    const { enabled, externalCa } = this.#options
    if (!enabled) return false
    const { issuerPem } = this.#inForce
    const rootPem = externalCa ? '' : issuerPem
    // The time that proxies are given is no reason to tell them again.
    if (rootPem !== this.#issuer.rootPem) this.#issuer = { rootPem, spreadMs: this.#spread() }
    return this.resources.set(this.#proxyRoots(), this.#issuer)
  }

  #spread(): number {
    return Math.min(LONGEST_SPREAD_MS, Math.max(SHORTEST_SPREAD_MS, this.#options.connections().length * SPREAD_PER_PROXY_MS))
  }

  /** With a signer outside, the own CA vouches for the control plane alone. */
  #proxyRoots(): TrustRoots | undefined {
    const { externalCa } = this.#options
    const { ownPem, domains, bySigner } = this.#further
    const own = externalCa ? [externalCa.rootPem, ...Object.values(bySigner)] : [this.#inForce.rootsPem]
    const rootsPem = join(...own, ownPem)
    return rootsPem === '' ? undefined : { rootsPem, domains, crlPem: this.crlPem }
  }
}

/** Equal CAs stay the same objects, so that what follows from them is not made anew. */
function keepAuthorities(next: TrustView, before: TrustView | undefined): TrustView {
  if (!before) return next
  const keep = (authority: CertificateAuthority): CertificateAuthority =>
    authority.material.certPem === before.serving.material.certPem && authority.rootsPem === before.serving.rootsPem
      ? before.serving
      : authority
  return { ...next, serving: keep(next.serving), signing: next.signing && keep(next.signing) }
}

function join(...bundles: readonly string[]): string {
  const given = bundles.filter((text) => text.trim() !== '')
  return given.length === 0 ? '' : joinTrustBundle(...given)
}
