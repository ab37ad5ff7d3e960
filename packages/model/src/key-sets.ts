/** Public keys that somebody must fetch: which are wanted, and under which name they come back. */
import type { JWTRule } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { Family, type Source } from '@lateen/graph'
import type { Inputs } from './inputs.ts'
import type { RequestAuthentication } from './request-authentications.ts'
import { settingsOf } from './services.ts'

/** Keys to fetch, from an address, or by asking an issuer (OpenID Connect discovery) where its keys are. */
export interface KeySetRequest {
  /** The name under which the keys are given to the mesh. */
  readonly id: string
  readonly source: { readonly uri: string } | { readonly issuer: string }
  /** How long one attempt may take (milliseconds). */
  readonly timeoutMs: number
}

/** Istio's time for fetching keys when a rule names none. */
const DEFAULT_TIMEOUT_MS = 5_000

/** The keys that a rule needs fetched; undefined for rules that hold their keys. */
export function keySetRequest(rule: JWTRule): KeySetRequest | undefined {
  if (rule.jwks) return undefined
  const timeoutMs = parseDuration(rule.timeout ?? '') ?? DEFAULT_TIMEOUT_MS
  if (rule.jwksUri) return { id: rule.jwksUri, source: { uri: rule.jwksUri }, timeoutMs }
  return rule.issuer ? { id: `issuer ${rule.issuer}`, source: { issuer: rule.issuer }, timeoutMs } : undefined
}

/** All key sets that any policy of the mesh needs fetched here, by name; the longest time counts where rules differ. */
export function wantedKeySets(inputs: Inputs, policies: Source<RequestAuthentication>): Family<string, readonly KeySetRequest[]> {
  return new Family<string, readonly KeySetRequest[]>('wantedKeySets', (context) => {
    const proxiesFetch = settingsOf(context, inputs).switches.keysFetchedBy === 'proxy'
    const wanted = new Map<string, KeySetRequest>()
    for (const rule of context.all(policies).flatMap((policy) => policy.rules)) {
      const request = keySetRequest(rule)
      if (!request || (proxiesFetch && rule.jwksUri)) continue
      const known = wanted.get(request.id)
      if (!known || known.timeoutMs < request.timeoutMs) wanted.set(request.id, request)
    }
    return [...wanted.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  })
}
