/** The certificate of the control plane's own TLS ports: from files, or signed by the mesh's CA and renewed at half its life. */
import { readFileSync } from 'node:fs'
import { logger } from '@lateen/base'
import { type CertificateAuthority, rotationTime } from '@lateen/ca'

export interface ServerCertificateOptions {
  readonly namespace: string
  readonly domain: string
  readonly revision: string
  readonly customHost: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly clientCaFile: string | undefined
}

export interface TlsMaterial {
  readonly certificateChain: string
  readonly privateKey: string
  /** Roots that client certificates are verified against. */
  readonly clientRoots: string
}

export interface ServerCertificates {
  readonly current: TlsMaterial
  /** Signs anew, because the CA or the roots have changed. */
  renew(): void
  stop(): void
}

const log = logger('ca')
/** setTimeout takes no longer waits. */
const LONGEST_WAIT_MS = 24 * 3_600_000
const FAILED_WAIT_MS = 60_000

/** What the certificates follow from. */
export interface ServerTrust {
  readonly serving: CertificateAuthority
  /** Roots that client certificates are verified against, where no file says so. */
  readonly rootsPem: string
}

export function serveCertificates(
  trust: ServerTrust,
  options: ServerCertificateOptions,
  onChange: (material: TlsMaterial) => void,
): ServerCertificates {
  let timer: NodeJS.Timeout | undefined
  const clientRoots = () => (options.clientCaFile ? readFileSync(options.clientCaFile, 'utf8') : trust.rootsPem)
  const make = (): TlsMaterial => {
    const { certFile, keyFile } = options
    if (certFile && keyFile) {
      return { certificateChain: readFileSync(certFile, 'utf8'), privateKey: readFileSync(keyFile, 'utf8'), clientRoots: clientRoots() }
    }
    const signed = trust.serving.signServer({ dnsNames: serverNames(options) })
    plan(rotationTime(signed, Math.random()))
    return { certificateChain: signed.chainPem, privateKey: signed.keyPem, clientRoots: clientRoots() }
  }
  const plan = (at: number) => {
    clearTimeout(timer)
    const wait = Math.max(1_000, at - Date.now())
    timer = setTimeout(() => (wait > LONGEST_WAIT_MS ? plan(at) : replace()), Math.min(wait, LONGEST_WAIT_MS))
    timer.unref()
  }
  const replace = () => {
    try {
      current = make()
      onChange(current)
    } catch (error) {
      log.error(`the control plane's own certificate could not be renewed: ${error instanceof Error ? error.message : String(error)}`)
      plan(Date.now() + FAILED_WAIT_MS)
    }
  }
  let current = make()
  return {
    get current() {
      return current
    },
    renew: replace,
    stop: () => clearTimeout(timer),
  }
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
