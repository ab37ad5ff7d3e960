/**
 * Where the mesh's CA comes from, in this order: a folder (`ROOT_CA_DIR`), Secret `cacerts`, Secret `istio-ca-secret`, which is made
 * when there is none. Without Kubernetes a root is made that lasts as long as the process.
 *
 * A replaced CA takes effect without a restart; one that cannot be used is reported, and the one in force stays.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { type CaFiles, type CaOptions, CertificateAuthority, caFilesFromEntries, createSelfSignedRoot } from '@lateen/ca'
import { isConflict, isNotFound, type KubeClient, type ListWatch, listWatch } from '@lateen/kube'

export interface CaSourceOptions extends CaOptions {
  readonly directory: string
  readonly client: KubeClient | undefined
  readonly namespace: string
  readonly trustDomain: string
  readonly rootTtlMs: number
  readonly onChange: (authority: CertificateAuthority) => void
}

export interface CaSource {
  readonly current: CertificateAuthority
  /** Where it comes from, for messages. */
  readonly origin: string
  stop(): void
}

const log = logger('ca')
const PLUGGED_IN = 'cacerts'
const SELF_SIGNED = 'istio-ca-secret'
const POLL_MS = 2_000

/** @throws CaError naming what is wrong with a CA that is there but cannot be used */
export async function openCaSource(options: CaSourceOptions): Promise<CaSource> {
  if (hasFiles(options.directory)) return fromDirectory(options)
  if (options.client) return fromSecrets(options, options.client)
  const root = createSelfSignedRoot({ organization: options.trustDomain, now: Date.now(), ttlMs: options.rootTtlMs })
  log.warn(`no Kubernetes and no CA in ${options.directory}: made a root that ends with this process; put one there to keep identities`)
  return { current: CertificateAuthority.load(filesOf(root), options), origin: 'self-signed, in memory', stop: () => undefined }
}

const filesOf = ({ certPem, keyPem }: { certPem: string; keyPem: string }): CaFiles => ({
  caCert: certPem,
  caKey: keyPem,
  rootCert: certPem,
})

/** Puts CAs in force that can be used; remembers which text is in force, so that the same text is no change. */
class Holder {
  #current: CertificateAuthority
  #files: CaFiles
  #origin: string
  readonly #options: CaSourceOptions

  constructor(files: CaFiles, origin: string, options: CaSourceOptions) {
    this.#current = CertificateAuthority.load(files, options)
    this.#files = files
    this.#origin = origin
    this.#options = options
    log.info(`signing with the CA of ${origin}`)
  }

  get current() {
    return this.#current
  }

  get origin() {
    return this.#origin
  }

  offer(read: () => CaFiles, origin: string): void {
    try {
      const files = read()
      const { caCert, caKey, rootCert, certChain } = this.#files
      if (files.caCert === caCert && files.caKey === caKey && files.rootCert === rootCert && files.certChain === certChain) return
      this.#current = CertificateAuthority.load(files, this.#options)
      this.#files = files
      this.#origin = origin
      log.info(`now signing with the CA of ${origin}`)
      this.#options.onChange(this.#current)
    } catch (error) {
      log.error(
        `the CA of ${origin} cannot be used: ${error instanceof Error ? error.message : String(error)}; the one in force (${this.#origin}) stays`,
      )
    }
  }
}

const FILE_NAMES = ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem', 'cert-chain.pem', 'tls.crt', 'tls.key', 'ca.crt']

function hasFiles(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name === 'ca-key.pem' || name === 'tls.key')
}

function fromDirectory(options: CaSourceOptions): CaSource {
  const { directory } = options
  const read = () => {
    const entries = FILE_NAMES.filter((name) => existsSync(join(directory, name))).map(
      (name) => [name, readFileSync(join(directory, name), 'utf8')] as const,
    )
    return caFilesFromEntries(Object.fromEntries(entries))
  }
  const signature = () =>
    FILE_NAMES.map((name) => {
      const stats = statSync(join(directory, name), { throwIfNoEntry: false })
      return stats ? `${stats.ino}:${stats.size}:${stats.mtimeMs}` : ''
    }).join(' ')
  let seen = signature()
  const holder = new Holder(read(), `folder ${directory}`, options)
  const timer = setInterval(() => {
    const now = signature()
    if (now === seen) return
    seen = now
    holder.offer(read, `folder ${directory}`)
  }, POLL_MS)
  timer.unref()
  return sourceOf(holder, () => clearInterval(timer))
}

const sourceOf = (holder: Holder, stop: () => void): CaSource => ({
  get current() {
    return holder.current
  },
  get origin() {
    return holder.origin
  },
  stop,
})

async function fromSecrets(options: CaSourceOptions, client: KubeClient): Promise<CaSource> {
  const secrets = new Map<string, KubeObject>()
  let holder: Holder | undefined
  const notice = () => {
    const chosen = secrets.get(PLUGGED_IN) ?? secrets.get(SELF_SIGNED)
    if (chosen) holder?.offer(() => filesOfSecret(chosen), nameOf(chosen))
  }
  const watches = [PLUGGED_IN, SELF_SIGNED].map((name) => followSecret(client, options.namespace, name, secrets, notice))
  const stop = () => {
    for (const watch of watches) watch.stop()
  }
  try {
    await Promise.all(watches.map((watch) => watch.synced))
    const chosen = secrets.get(PLUGGED_IN) ?? secrets.get(SELF_SIGNED) ?? (await createSelfSigned(options, client))
    holder = new Holder(filesOfSecret(chosen), nameOf(chosen), options)
    return sourceOf(holder, stop)
  } catch (error) {
    stop()
    throw error
  }
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
  const root = createSelfSignedRoot({ organization: options.trustDomain, now: Date.now(), ttlMs: options.rootTtlMs })
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SELF_SIGNED, namespace },
    type: 'istio.io/ca-root',
    data: {
      'ca-cert.pem': encode(root.certPem),
      'ca-key.pem': encode(root.keyPem),
      'root-cert.pem': '',
      'cert-chain.pem': '',
      'key.pem': '',
    },
  }
  try {
    return await client.create(RESOURCE_TYPES.Secret, secret)
  } catch (error) {
    if (isConflict(error)) return client.get(RESOURCE_TYPES.Secret, namespace, SELF_SIGNED)
    if (!isNotFound(error)) throw error
    await createNamespace(client, namespace)
    return createSelfSigned(options, client)
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

const nameOf = ({ metadata }: KubeObject): string => `Secret ${metadata.namespace ?? ''}/${metadata.name}`

function filesOfSecret(secret: KubeObject): CaFiles {
  const data: Readonly<Record<string, unknown>> = typeof secret.data === 'object' && secret.data !== null ? { ...secret.data } : {}
  const entries = Object.fromEntries(
    FILE_NAMES.map(
      (name) => [name, typeof data[name] === 'string' ? Buffer.from(data[name], 'base64').toString('utf8') : ''] as const,
    ).filter(([, text]) => text !== ''),
  )
  // Istio leaves root-cert.pem empty in its own Secret: the signing certificate is the root.
  if (secret.metadata.name === SELF_SIGNED && !entries['root-cert.pem'] && entries['ca-cert.pem'])
    entries['root-cert.pem'] = entries['ca-cert.pem']
  return caFilesFromEntries(entries)
}
