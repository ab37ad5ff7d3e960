/** The key sets of a mesh, followed: what its policies want is fetched, and given to it. */
import { existsSync, readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import type { KeySetRequest } from '@lateen/model'
import type { MeshState } from '@lateen/translate'
import type { FetchTls } from './bounded-fetch.ts'
import { type AddressRules, addressCheck } from './forbidden-addresses.ts'
import { fetchKeySet } from './key-set-source.ts'
import { createKeySets, type KeySetsOptions } from './key-sets.ts'
import type { KeyStore } from './key-store.ts'

export interface KeyOptions extends AddressRules {
  readonly refreshMs: number
  readonly insecure: boolean
}

export interface KeyService {
  /** Looks at what the mesh wants now; cheap when nothing has changed. */
  follow(): void
  /** Resolves when all that is wanted was tried once, or after a while. */
  settled(): Promise<void>
  stop(): Promise<void>
}

/** Authorities that operators add for the servers of keys, as in istiod. */
const EXTRA_AUTHORITIES = '/cacerts/extra.pem'
const LONGEST_TIMEOUT_MS = 30_000
/** The start does not wait longer for servers that are slow. */
const LONGEST_WAIT_MS = 8_000

/**
 * Begins with the keys that an earlier run left in the store.
 *
 * @throws RangeError naming a range of addresses that is none
 */
export async function startKeyService(
  mesh: MeshState,
  options: KeyOptions,
  { store, observer }: { readonly store: KeyStore | undefined; readonly observer: KeySetsOptions['observer'] },
): Promise<KeyService> {
  const mayCall = addressCheck(options)
  const tls = tlsOf(options)
  const earlier = new Map(await store?.load())
  /** Once: what is wanted again after nobody wanted it is fetched anew. */
  const known = (id: string): string | undefined => {
    const keys = earlier.get(id)
    earlier.delete(id)
    return keys
  }
  const sets = createKeySets({
    fetch: (request, signal) => fetchKeySet(request, { mayCall, signal, tls, timeoutMs: Math.min(request.timeoutMs, LONGEST_TIMEOUT_MS) }),
    onChange: (changed) => {
      mesh.setKeySets(changed)
      for (const [id, keys] of changed) store?.keep(id, keys)
    },
    known,
    refreshMs: options.refreshMs,
    observer,
  })
  let wanted: readonly KeySetRequest[] | undefined
  return {
    follow: () => {
      const next = mesh.wantedKeySets()
      if (next === wanted) return
      wanted = next
      sets.want(next)
    },
    settled: async () => {
      // The configuration is complete now: what it does not want, nobody does.
      store?.keepOnly(new Set(wanted?.map(({ id }) => id)))
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, LONGEST_WAIT_MS)
      await Promise.race([sets.tried(), late.promise])
      clearTimeout(timer)
    },
    stop: async () => {
      sets.stop()
      await store?.stop()
    },
  }
}

function tlsOf({ insecure }: KeyOptions): FetchTls {
  if (!existsSync(EXTRA_AUTHORITIES)) return { insecure }
  return { insecure, authorities: [...rootCertificates, readFileSync(EXTRA_AUTHORITIES, 'utf8')] }
}
