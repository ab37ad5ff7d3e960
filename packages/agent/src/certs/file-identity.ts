/** An identity from mounted files (FILE_MOUNTED_CERTS), read again whenever they are replaced. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { logger } from '@lateen/base'
import { inspect, type TrustRoots } from '@lateen/ca'
import { watchFiles } from './file-watch.ts'
import type { IdentitySource, WorkloadIdentity } from './identity.ts'

const log = logger('cache')

export interface IdentityFiles {
  readonly chain: string
  readonly key: string
  readonly root: string
}

/** `cert-chain.pem`, `key.pem` and `root-cert.pem` in a folder. */
export function identityFilesIn(folder: string): IdentityFiles {
  return { chain: join(folder, 'cert-chain.pem'), key: join(folder, 'key.pem'), root: join(folder, 'root-cert.pem') }
}

/**
 * Reads the three files.
 *
 * @throws Error naming the file that is missing or is no certificate
 */
export function readIdentityFiles(files: IdentityFiles): WorkloadIdentity {
  const chainPem = readFileSync(files.chain, 'utf8')
  inspect(chainPem)
  return { keyPem: readFileSync(files.key, 'utf8'), chainPem, rootsPem: readFileSync(files.root, 'utf8') }
}

export class FileIdentity implements IdentitySource {
  readonly #files: IdentityFiles
  readonly #listeners = new Set<() => void>()
  readonly #stop: () => void
  #current: WorkloadIdentity

  /** @throws Error when a file is missing or unusable at the start */
  constructor(files: IdentityFiles) {
    this.#files = files
    this.#current = readIdentityFiles(files)
    this.#stop = watchFiles([files.chain, files.key, files.root], () => this.#reload())
  }

  get current(): WorkloadIdentity {
    return this.#current
  }

  get trust(): TrustRoots {
    return { rootsPem: this.#current.rootsPem, domains: {}, crlPem: '' }
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#stop()
    this.#listeners.clear()
  }

  #reload(): void {
    try {
      this.#current = readIdentityFiles(this.#files)
    } catch (error) {
      log.warn(
        `the mounted certificate cannot be read, the one before stays in use: ${error instanceof Error ? error.message : String(error)}`,
      )
      return
    }
    log.info('the mounted certificate was replaced')
    for (const listener of [...this.#listeners]) listener()
  }
}
