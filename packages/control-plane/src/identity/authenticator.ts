/** Who calls: by the certificate that the connection was made with, or by a service account token. */
import { identityUri, parseIdentity } from '@lateen/ca'
import type { TokenReviewer } from './token-reviewer.ts'

/** What a transport knows of its caller. */
export interface Credential {
  /** SPIFFE URIs of a client certificate that was verified against the mesh's roots. */
  readonly certificateIdentities: readonly string[]
  /** The `authorization` header. */
  readonly authorization: string | undefined
}

export type Authentication =
  | {
      readonly identities: readonly string[]
      readonly by: 'certificate' | 'token'
      readonly pod?: { readonly namespace: string; readonly name: string }
    }
  | { readonly refused: string }

export interface Authenticator {
  /** @throws ReviewUnavailable when the API server cannot be asked */
  authenticate(credential: Credential): Promise<Authentication>
}

/** Without a token reviewer (no Kubernetes) only certificates count. */
export function createAuthenticator(trustDomain: () => string, reviewer: TokenReviewer | undefined): Authenticator {
  return {
    authenticate: async ({ certificateIdentities, authorization }) => {
      const own = certificateIdentities.filter((uri) => parseIdentity(uri)?.trustDomain === trustDomain())
      if (own.length > 0) return { identities: own, by: 'certificate' }
      const token = bearerToken(authorization)
      if (token === undefined) return { refused: 'neither a client certificate of this mesh nor a bearer token was given' }
      if (!reviewer) return { refused: 'tokens cannot be checked: this control plane runs without Kubernetes' }
      const result = await reviewer.review(token)
      if ('refused' in result) return result
      const { namespace, name, pod } = result.account
      return { identities: [identityUri(trustDomain(), namespace, name)], by: 'token', ...(pod ? { pod: { namespace, name: pod } } : {}) }
    },
  }
}

/** The token of `Bearer …` (or Istio's older `Istio …`); the scheme's case does not matter. */
export function bearerToken(authorization: string | undefined): string | undefined {
  const match = /^(?:bearer|istio) +([^\s]+)$/i.exec(authorization ?? '')
  return match?.[1]
}
