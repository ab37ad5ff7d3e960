/** Where this proxy's identity comes from, by its settings. */
import { readFileSync } from 'node:fs'
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { logger } from '@lateen/base'
import { identityUri } from '@lateen/ca'
import type { AgentSettings } from '../settings/settings.ts'
import { fetchIdentity } from './ca-client.ts'
import { FileIdentity, identityFilesIn, readIdentityFiles } from './file-identity.ts'
import type { IdentitySource, SteeredIdentity, WorkloadIdentity } from './identity.ts'
import { RenewingIdentity } from './renewing-identity.ts'

const log = logger('cache')

/** A signer outside the control plane is another program that must look, decide and answer. */
const CALL_TIMEOUT_MS = 20_000

/** Mounted files with FILE_MOUNTED_CERTS, else the CA; `ready` is fulfilled once there is an identity. */
export function openIdentity(settings: AgentSettings): {
  source: IdentitySource & Partial<Pick<RenewingIdentity, 'counts' | 'info'>>
  /** The same, where the control plane may change it. */
  steered?: SteeredIdentity
  ready: Promise<void>
} {
  const { certificates } = settings
  if (certificates.mountedFolder) return { source: new FileIdentity(identityFilesIn(certificates.mountedFolder)), ready: Promise.resolve() }
  const renewing: RenewingIdentity = new RenewingIdentity({
    fetch: (held) => fetchIdentity(caClientSettings(settings, renewing), held ?? provisioned(settings)),
    uri: identityUri(settings.trustDomain, settings.namespace, settings.serviceAccount),
    graceRatio: certificates.graceRatio,
    jitterRatio: certificates.jitterRatio,
    crlFile: certificates.crlFile,
    ...(certificates.rootFile ? { rootFile: certificates.rootFile } : {}),
    ...(certificates.lastGoodFile ? { lastGoodFile: certificates.lastGoodFile } : {}),
    ...(certificates.outputFolder ? { onIdentity: output(certificates.outputFolder) } : {}),
  })
  return { source: renewing, steered: renewing, ready: renewing.start() }
}

function caClientSettings(settings: AgentSettings, identity: SteeredIdentity) {
  const { certificates: c, env, pod } = settings
  const { rootFile } = c
  const labels = {
    workload: env.ISTIO_META_WORKLOAD_NAME,
    version: pod.labels.version,
    cluster: settings.clusterId,
    CertSigner: env.ISTIO_META_CERT_SIGNER,
  }
  return {
    address: c.caAddress,
    serverName: c.serverName,
    tokenFile: c.tokenFile,
    clusterId: settings.clusterId,
    trustDomain: settings.trustDomain,
    namespace: settings.namespace,
    serviceAccount: settings.serviceAccount,
    key: c.key,
    ttlMs: c.ttlMs,
    timeoutMs: CALL_TIMEOUT_MS,
    labels: Object.fromEntries(Object.entries(labels).flatMap(([key, value]) => (value ? [[key, value]] : []))),
    ...(rootFile ? { roots: () => serverRoots(rootFile, signedByControlPlane(settings) ? identity : undefined) } : {}),
  }
}

/** Whether the CA is the control plane itself, so that its word on roots is complete. */
export const signedByControlPlane = ({ certificates, discovery }: AgentSettings): boolean => certificates.caAddress === discovery.address

/**
 * The roots that a server is checked by: those of a mounted file and, for the control plane, those that it has named since.
 *
 * @throws Error naming the file when it cannot be read
 */
export function serverRoots(file: string, identity: SteeredIdentity | undefined): string {
  try {
    return identity ? identity.serverRoots(file) : readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(
      `cannot read the roots that the control plane is checked against, ${file}; it is mounted from ConfigMap istio-ca-root-cert`,
      {
        cause,
      },
    )
  }
}

/** A certificate that a machine was given beforehand (PROV_CERT), to ask with where there is no token. */
function provisioned({ certificates }: AgentSettings): WorkloadIdentity | undefined {
  try {
    return certificates.provisionedFolder ? readIdentityFiles(identityFilesIn(certificates.provisionedFolder)) : undefined
  } catch (error) {
    log.warn(`PROV_CERT cannot be used: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

/** OUTPUT_CERTS: the same files that FILE_MOUNTED_CERTS reads, each replaced by rename. */
function output(folder: string): (identity: WorkloadIdentity, roots: string) => Promise<void> {
  const files = identityFilesIn(folder)
  const replace = async (file: string, text: string) => {
    const next = join(folder, `.${Date.now()}.next`)
    await writeFile(next, text, { mode: 0o600 })
    await chmod(next, 0o600)
    await rename(next, file)
  }
  return async (identity, roots) => {
    try {
      await mkdir(folder, { recursive: true })
      await replace(files.key, identity.keyPem)
      await replace(files.chain, identity.chainPem)
      await replace(files.root, roots)
    } catch (error) {
      log.warn(`OUTPUT_CERTS: cannot write to ${folder}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
