/**
 * The secrets that Envoy may ask for by name: `default` and `ROOTCA` of the workload, `file-cert:<chain>~<key>` and
 * `file-root:<file>` of mounted files.
 */
import { readFileSync } from 'node:fs'
import { logger } from '@lateen/base'
import { inspect } from '@lateen/ca'
import { watchFiles } from '../certs/file-watch.ts'
import type { IdentitySource } from '../certs/identity.ts'
import { certificateSecret, type EncodedSecret, rootSecret } from './secret.ts'

const log = logger('sds')

/** More names than a proxy's listeners and clusters could need. */
const MAX_FILE_SECRETS = 1000

export class SecretStore {
  readonly #identity: IdentitySource
  readonly #trustDomain: string
  readonly #listeners = new Set<() => void>()
  readonly #fileWatches = new Map<string, () => void>()
  readonly #stop: () => void

  constructor(identity: IdentitySource, trustDomain: string) {
    this.#identity = identity
    this.#trustDomain = trustDomain
    this.#stop = identity.subscribe(() => this.#notify())
  }

  /** The secret of a name; `undefined` while there is none. Envoy keeps what it has meanwhile. */
  get(name: string): EncodedSecret | undefined {
    const { current, trust } = this.#identity
    if (name === 'default') return current && certificateSecret(name, current.chainPem, current.keyPem)
    if (name === 'ROOTCA') return trust && rootSecret(name, trust, this.#trustDomain)
    return this.#fromFiles(name)
  }

  /** Calls back when any secret may have changed. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#stop()
    for (const stop of this.#fileWatches.values()) stop()
    this.#listeners.clear()
  }

  #fromFiles(name: string): EncodedSecret | undefined {
    const files = filesOf(name)
    if (!files) {
      log.warn(`Envoy asks for the secret "${name}", which this agent does not serve`)
      return undefined
    }
    if (!this.#fileWatches.has(name) && this.#fileWatches.size < MAX_FILE_SECRETS) {
      this.#fileWatches.set(
        name,
        watchFiles(files, () => this.#notify()),
      )
    }
    try {
      const [first = '', second] = files.map((file) => readFileSync(file, 'utf8'))
      inspect(first)
      return second === undefined
        ? rootSecret(name, { rootsPem: first, domains: {}, crlPem: '' }, this.#trustDomain)
        : certificateSecret(name, first, second)
    } catch (error) {
      log.warn(`cannot serve the secret "${name}": ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/** The files that a secret's name stands for. */
function filesOf(name: string): string[] | undefined {
  if (name.startsWith('file-root:')) return [name.slice('file-root:'.length)]
  if (!name.startsWith('file-cert:')) return undefined
  const parts = name.slice('file-cert:'.length).split('~')
  return parts.length === 2 ? parts : undefined
}
