/**
 * The certificate of the control plane's own TLS ports: from files, from a signer of the Kubernetes API, or signed by the mesh's CA. The
 * last two are renewed at half of their life, files whenever they are replaced.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { logger } from '@lateen/base'
import { type CertificateAuthority, inspect, joinTrustBundle, rotationTime } from '@lateen/ca'
import { findServingFiles, type ServingFiles, type ServingFlags, watchServingFiles } from './serving-files.ts'

export interface ServerCertificateOptions {
  readonly namespace: string
  readonly domain: string
  readonly revision: string
  readonly customHost: string | undefined
  /** The files that the flags name. */
  readonly files: ServingFlags
  /** This control plane is the CA of the workloads: its roots count beside those of a file. */
  readonly isCa: boolean
}

export interface TlsMaterial {
  readonly certificateChain: string
  readonly privateKey: string
  /** Roots that client certificates are verified against, and this certificate by its clients. */
  readonly clientRoots: string
  /** Revocation lists that client certificates are looked up in; empty for none. */
  readonly clientLists: string
}

export interface ServerCertificates {
  readonly current: TlsMaterial
  /** Makes it anew, because the CA or the roots have changed. */
  renew(): void
  stop(): void
}

/** A certificate chain with its key. */
export interface KeyAndChain {
  readonly chainPem: string
  readonly keyPem: string
}

/** What the certificates follow from. */
export interface ServerTrust {
  readonly serving: CertificateAuthority
  /** Roots of the mesh. */
  readonly rootsPem: string
  /** Revocation lists in force; empty for none. */
  readonly crlPem: string
  /** A signer of the Kubernetes API, where one is to sign for the control plane itself. */
  readonly serverSigner: { readonly rootsPem: string; sign(dnsNames: readonly string[]): Promise<KeyAndChain> } | undefined
}

const log = logger('ca')
/** setTimeout takes no longer waits. */
const LONGEST_WAIT_MS = 24 * 3_600_000
const FAILED_WAIT_MS = 60_000

/** @throws Error or CaError when there is no certificate to begin with */
export async function serveCertificates(
  trust: ServerTrust,
  options: ServerCertificateOptions,
  onChange: (material: TlsMaterial) => void,
): Promise<ServerCertificates> {
  const find = () => findServingFiles(options.files)
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let round = 0
  /** What the signer made last, and under which roots. */
  let signed: (KeyAndChain & { readonly rootsPem: string; readonly renewAt: number }) | undefined

  const plan = (at: number) => {
    clearTimeout(timer)
    if (stopped) return
    const wait = Math.max(1_000, at - Date.now())
    timer = setTimeout(() => (wait > LONGEST_WAIT_MS ? plan(at) : renew()), Math.min(wait, LONGEST_WAIT_MS))
    timer.unref()
  }
  const make = async (): Promise<TlsMaterial> => ({ ...(await identity()), clientLists: trust.crlPem })
  const identity = async (): Promise<Omit<TlsMaterial, 'clientLists'>> => {
    const files = find()
    if (files) return fromFiles(files, options.isCa || files.rootFiles.length === 0 ? trust.rootsPem : '')
    const { serverSigner } = trust
    if (serverSigner) {
      const { rootsPem } = serverSigner
      if (!signed || signed.rootsPem !== rootsPem || Date.now() >= signed.renewAt) {
        const made = await serverSigner.sign(serverNames(options))
        signed = { ...made, rootsPem, renewAt: rotationTime(inspect(made.chainPem), Math.random()) }
      }
      plan(signed.renewAt)
      return { certificateChain: signed.chainPem, privateKey: signed.keyPem, clientRoots: trust.rootsPem }
    }
    const { chainPem, keyPem, ...life } = trust.serving.signServer({ dnsNames: serverNames(options) })
    plan(rotationTime(life, Math.random()))
    return { certificateChain: chainPem, privateKey: keyPem, clientRoots: trust.rootsPem }
  }
  const renew = () => {
    const ours = ++round
    make()
      .then((material) => {
        if (stopped || ours !== round) return
        current = material
        onChange(material)
      })
      // Also where the ports cannot use what was made: files may be replaced by anything.
      .catch((error: unknown) => {
        if (stopped || ours !== round) return
        log.error(`the control plane's own certificate could not be renewed: ${error instanceof Error ? error.message : String(error)}`)
        plan(Date.now() + FAILED_WAIT_MS)
      })
  }
  let current = await make()
  const unwatch = watchServingFiles(find, () => {
    log.info('the files of the control plane’s own certificate have changed')
    renew()
  })
  return {
    get current() {
      return current
    },
    renew,
    stop: () => {
      stopped = true
      clearTimeout(timer)
      unwatch()
    },
  }
}

/** @throws Error naming the file that cannot be used */
function fromFiles({ certFile, keyFile, rootFiles }: ServingFiles, meshRoots: string): Omit<TlsMaterial, 'clientLists'> {
  const certificateChain = readFileSync(certFile, 'utf8')
  const privateKey = readFileSync(keyFile, 'utf8')
  const { notAfter } = inspect(certificateChain)
  if (!new X509Certificate(certificateChain).checkPrivateKey(createPrivateKey(privateKey)))
    throw new Error(`${keyFile} is not the key of the certificate in ${certFile}`)
  if (notAfter.getTime() <= Date.now()) log.warn(`the certificate in ${certFile} expired at ${notAfter.toISOString()}`)
  const roots = [...rootFiles.map((file) => readFileSync(file, 'utf8')), meshRoots].filter((text) => text.trim() !== '')
  return { certificateChain, privateKey, clientRoots: joinTrustBundle(...roots) }
}

/** Every name by which proxies and the API server call the control plane. */
export function serverNames({
  namespace,
  domain,
  revision,
  customHost,
}: Pick<ServerCertificateOptions, 'namespace' | 'domain' | 'revision' | 'customHost'>): string[] {
  const services = ['istiod', ...(revision === 'default' ? [] : [`istiod-${revision}`]), 'istiod-remote', 'istio-pilot']
  const names = services.flatMap((service) => [
    `${service}.${namespace}.svc`,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc.${domain}`,
  ])
  return [...new Set([...names, ...(customHost?.split(',') ?? [])].map((name) => name.trim()).filter((name) => name !== ''))]
}
