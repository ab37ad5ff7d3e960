/**
 * Where the mesh's CA comes from, in this order: a folder (`ROOT_CA_DIR`), Secret `cacerts`, Secret `istio-ca-secret`, which is made
 * when there is none. Without Kubernetes a root is made that lasts as long as the process.
 *
 * What is found is offered: when it takes effect is for `mesh-trust.ts` to say, since proxies must trust its root first. One that
 * cannot be used is reported, and the one before stays.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import {
  CA_ENTRY_NAMES,
  CaError,
  type CaFiles,
  type CaOptions,
  CertificateAuthority,
  caFilesFromEntries,
  checkListsOfFormer,
  createSelfSignedRoot,
  type KeyKind,
} from '@lateen/ca'
import { isConflict, isNotFound, type KubeClient, type ListWatch, listWatch } from '@lateen/kube'

export interface CaSourceOptions extends CaOptions {
  readonly directory: string
  readonly client: KubeClient | undefined
  readonly namespace: string
  readonly trustDomain: string
  readonly rootTtlMs: number
  readonly rootKey: KeyKind
  /** A root of our own is kept in Secret `cacerts`, as if it had been plugged in (USE_CACERTS_FOR_SELF_SIGNED_CA). */
  readonly keepInCacerts: boolean
  readonly onChange: (offered: OfferedCa) => void
}

/** A CA that has been found and can sign. */
export interface OfferedCa {
  readonly authority: CertificateAuthority
  readonly files: CaFiles
  /** Where it comes from, for messages. */
  readonly origin: string
  /** The Secret that a root of our own is kept in; absent for what others plugged in. */
  readonly ownSecret?: string
}

export interface CaSource {
  readonly current: OfferedCa
  /** Puts another root of our own where this one came from. @throws Error when it was plugged in by others, or cannot be written */
  replaceOwn(files: CaFiles): Promise<void>
  stop(): void
}

const log = logger('ca')
const PLUGGED_IN = 'cacerts'
const SELF_SIGNED = 'istio-ca-secret'
/** Set by Istio on `cacerts` where it made the content itself. */
const SELF_SIGNED_MARK = 'istio-generated'
const POLL_MS = 2_000

/** @throws CaError naming what is wrong with a CA that is there but cannot be used */
export async function openCaSource(options: CaSourceOptions): Promise<CaSource> {
  // What the control plane has made itself it also replaces, which it can in the Secret and not in the folder that it is mounted as.
  const isOwn = options.client && existsSync(join(options.directory, SELF_SIGNED_MARK))
  if (hasFiles(options.directory) && !isOwn) return fromDirectory(options)
  if (options.client) return fromSecrets(options, options.client)
  log.warn(`no Kubernetes and no CA in ${options.directory}: made a root that ends with this process; put one there to keep identities`)
  const holder = new Holder(filesOf(newRoot(options)), { origin: 'self-signed, in memory', ownSecret: '' }, options)
  return sourceOf(holder, {
    replaceOwn: async (files) => holder.offer(() => files, { origin: 'self-signed, in memory', ownSecret: '' }),
    stop: () => undefined,
  })
}

/** A new root of the mesh's own, by its settings. */
export function newRoot(
  { trustDomain, rootTtlMs, rootKey }: Pick<CaSourceOptions, 'trustDomain' | 'rootTtlMs' | 'rootKey'>,
  commonName?: string,
) {
  return createSelfSignedRoot({
    organization: trustDomain,
    now: Date.now(),
    ttlMs: rootTtlMs,
    key: rootKey,
    ...(commonName ? { commonName } : {}),
  })
}

export const filesOf = ({ certPem, keyPem }: { certPem: string; keyPem: string }): CaFiles => ({
  caCert: certPem,
  caKey: keyPem,
  rootCert: certPem,
})

type Origin = Pick<OfferedCa, 'origin' | 'ownSecret'>

/** Offers CAs that can be used; remembers which text was offered, so that the same text is no change. */
class Holder {
  #current: OfferedCa
  /** The texts of the last offer, of which the lists may not be in force. */
  #seen: CaFiles
  readonly #options: CaSourceOptions

  constructor(files: CaFiles, origin: Origin, options: CaSourceOptions) {
    this.#seen = files
    this.#current = { authority: CertificateAuthority.load(files, options), files, ...origin }
    this.#options = options
    log.info(`found the CA of ${origin.origin}`)
  }

  get current() {
    return this.#current
  }

  offer(read: () => CaFiles, origin: Origin): void {
    try {
      const files = read()
      if (isDeepStrictEqual(files, this.#seen)) return
      this.#current = { ...this.#load(files, origin), ...origin }
      this.#seen = files
      log.info(`the CA of ${origin.origin} has changed`)
      this.#options.onChange(this.#current)
    } catch (error) {
      log.error(
        `the CA of ${origin.origin} cannot be used: ${error instanceof Error ? error.message : String(error)}; the one of ${this.#current.origin} stays`,
      )
    }
  }

  /** Lists of revoked certificates that cannot be used are no reason to keep an old key: the lists from before stay alone. */
  #load(files: CaFiles, { origin }: Origin): Pick<OfferedCa, 'authority' | 'files'> {
    try {
      const authority = CertificateAuthority.load(files, this.#options)
      const { material: before } = this.#current.authority
      const { certPem, rootPem, crlPem } = authority.material
      if (before.rootPem === rootPem && before.certPem !== certPem) checkListsOfFormer(crlPem, before.certificate)
      return { authority, files }
    } catch (error) {
      if (!(error instanceof CaError) || error.code !== 'REVOCATION_UNUSABLE') throw error
      const { crl: before } = this.#current.files
      const { crl: _, ...rest } = files
      const kept: CaFiles = before ? { ...rest, crl: before } : rest
      const authority = CertificateAuthority.load(kept, this.#options)
      log.error(
        `the revocation lists of ${origin} cannot be used, ${before ? 'those from before stay' : 'there are none'}: ${error.message}`,
      )
      return { authority, files: kept }
    }
  }
}

function hasFiles(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name === 'ca-key.pem' || name === 'tls.key')
}

function fromDirectory(options: CaSourceOptions): CaSource {
  const { directory } = options
  const origin = { origin: `folder ${directory}` }
  const read = () => {
    const entries = CA_ENTRY_NAMES.filter((name) => existsSync(join(directory, name))).map(
      (name) => [name, readFileSync(join(directory, name), 'utf8')] as const,
    )
    return caFilesFromEntries(Object.fromEntries(entries))
  }
  const signature = () =>
    CA_ENTRY_NAMES.map((name) => {
      const stats = statSync(join(directory, name), { throwIfNoEntry: false })
      return stats ? `${stats.ino}:${stats.size}:${stats.mtimeMs}` : ''
    }).join(' ')
  let seen = signature()
  const holder = new Holder(read(), origin, options)
  const timer = setInterval(() => {
    const now = signature()
    if (now === seen) return
    seen = now
    holder.offer(read, origin)
  }, POLL_MS)
  timer.unref()
  return sourceOf(holder, { stop: () => clearInterval(timer), replaceOwn: () => Promise.reject(notOwn(origin.origin)) })
}

const notOwn = (origin: string): Error => new Error(`the CA of ${origin} was plugged in: whoever did that replaces it`)

const sourceOf = (holder: Holder, rest: Pick<CaSource, 'stop' | 'replaceOwn'>): CaSource => ({
  get current() {
    return holder.current
  },
  ...rest,
})

async function fromSecrets(options: CaSourceOptions, client: KubeClient): Promise<CaSource> {
  const secrets = new Map<string, KubeObject>()
  let holder: Holder | undefined
  const notice = () => {
    const chosen = secrets.get(PLUGGED_IN) ?? secrets.get(SELF_SIGNED)
    if (chosen) holder?.offer(() => filesOfSecret(chosen), originOf(chosen))
  }
  const watches = [PLUGGED_IN, SELF_SIGNED].map((name) => followSecret(client, options.namespace, name, secrets, notice))
  const stop = () => {
    for (const watch of watches) watch.stop()
  }
  try {
    await Promise.all(watches.map((watch) => watch.synced))
    const chosen = secrets.get(PLUGGED_IN) ?? secrets.get(SELF_SIGNED) ?? (await createSelfSigned(options, client))
    const opened = new Holder(filesOfSecret(chosen), originOf(chosen), options)
    holder = opened
    return sourceOf(opened, { stop, replaceOwn: (files) => replaceOwn(client, options.namespace, opened, files) })
  } catch (error) {
    stop()
    throw error
  }
}

async function replaceOwn(client: KubeClient, namespace: string, holder: Holder, files: CaFiles): Promise<void> {
  const { ownSecret, origin } = holder.current
  if (!ownSecret) throw notOwn(origin)
  const secret = await client.get(RESOURCE_TYPES.Secret, namespace, ownSecret)
  // The resource version of what was read goes along: of two writers one is told so.
  const updated = await client.update(RESOURCE_TYPES.Secret, {
    ...secret,
    data: { ...dataOf(secret), ...selfSignedData(files, ownSecret) },
  })
  holder.offer(() => filesOfSecret(updated), originOf(updated))
}

function followSecret(
  client: KubeClient,
  namespace: string,
  name: string,
  secrets: Map<string, KubeObject>,
  notice: () => void,
): ListWatch {
  const set = (secret: KubeObject) => {
    secrets.set(name, secret)
    notice()
  }
  const remove = () => {
    secrets.delete(name)
    notice()
  }
  const options = { namespace, fieldSelector: `metadata.name=${name}`, log }
  return listWatch(client, RESOURCE_TYPES.Secret, options, {
    replace: ([secret]) => (secret ? set(secret) : remove()),
    set,
    delete: remove,
  })
}

/** Of replicas that start together, the one whose Secret is created first wins, and the others take what it made. */
async function createSelfSigned(options: CaSourceOptions, client: KubeClient): Promise<KubeObject> {
  const { namespace } = options
  const name = options.keepInCacerts ? PLUGGED_IN : SELF_SIGNED
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type: 'istio.io/ca-root',
    data: {
      ...selfSignedData(filesOf(newRoot(options)), name),
      ...(options.keepInCacerts ? { [SELF_SIGNED_MARK]: Buffer.from('true').toString('base64') } : {}),
    },
  }
  try {
    return await client.create(RESOURCE_TYPES.Secret, secret)
  } catch (error) {
    if (isConflict(error)) return client.get(RESOURCE_TYPES.Secret, namespace, name)
    if (!isNotFound(error)) throw error
    await createNamespace(client, namespace)
    return createSelfSigned(options, client)
  }
}

/** In `istio-ca-secret` only the first two are set: the signing certificate is the root. */
function selfSignedData({ caCert, caKey, rootCert }: CaFiles, secret: string): Record<string, string> {
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const whole = secret === PLUGGED_IN
  return {
    'ca-cert.pem': encode(caCert),
    'ca-key.pem': encode(caKey),
    'root-cert.pem': whole ? encode(rootCert) : '',
    'cert-chain.pem': whole ? encode(caCert) : '',
    'key.pem': '',
  }
}

/** A control plane may be the first thing that a cluster gets. */
async function createNamespace(client: KubeClient, name: string): Promise<void> {
  log.info(`namespace ${name} does not exist; creating it`)
  try {
    await client.create(RESOURCE_TYPES.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  } catch (error) {
    if (!isConflict(error)) throw error
  }
}

function originOf(secret: KubeObject): Origin {
  const { namespace = '', name } = secret.metadata
  const own = name === SELF_SIGNED || typeof dataOf(secret)[SELF_SIGNED_MARK] === 'string'
  return { origin: `Secret ${namespace}/${name}`, ...(own ? { ownSecret: name } : {}) }
}

const dataOf = ({ data }: KubeObject): Readonly<Record<string, unknown>> => (typeof data === 'object' && data !== null ? { ...data } : {})

function filesOfSecret(secret: KubeObject): CaFiles {
  const data = dataOf(secret)
  const entries = Object.fromEntries(
    CA_ENTRY_NAMES.map(
      (name) => [name, typeof data[name] === 'string' ? Buffer.from(data[name], 'base64').toString('utf8') : ''] as const,
    ).filter(([, text]) => text !== ''),
  )
  // Istio leaves root-cert.pem empty in its own Secret: the signing certificate is the root.
  if (secret.metadata.name === SELF_SIGNED && !entries['root-cert.pem'] && entries['ca-cert.pem'])
    entries['root-cert.pem'] = entries['ca-cert.pem']
  return caFilesFromEntries(entries)
}
