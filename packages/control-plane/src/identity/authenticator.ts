/** Who calls: by the certificate that the connection was made with, or by a service account token. */
import { identityUri, parseIdentity } from '@lateen/ca'
import type { TokenReviewer } from './token-reviewer.ts'

/** What a transport knows of its caller. */
export interface Credential {
  /** SPIFFE URIs of a client certificate that was verified against the mesh's roots. */
  readonly certificateIdentities: readonly string[]
  /** That certificate (DER). */
  readonly certificate?: Buffer | undefined
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

/** The mesh's trust domain, and those that count as the same: what it was called before. */
export interface TrustDomains {
  readonly own: string
  readonly aliases: readonly string[]
}

export interface AuthenticatorOptions {
  readonly trustDomains: () => TrustDomains
  /** Without one (no Kubernetes) only certificates count. */
  readonly reviewer: TokenReviewer | undefined
  /** Whether the CA has revoked a certificate (DER): of connections from before. The port refuses it and its chain on new ones. */
  readonly isRevoked: (certificate: Buffer) => boolean
}

export function createAuthenticator({ trustDomains, reviewer, isRevoked }: AuthenticatorOptions): Authenticator {
  return {
    authenticate: async ({ certificateIdentities, certificate, authorization }) => {
      const { own: trustDomain } = trustDomains()
      const revoked = certificate !== undefined && isRevoked(certificate)
      const own = revoked ? [] : certificateIdentities.flatMap((uri) => ownIdentity(uri, trustDomains()))
      if (own.length > 0) return { identities: [...new Set(own)], by: 'certificate' }
      const token = bearerToken(authorization)
      if (token === undefined && revoked) return { refused: 'the client certificate has been revoked, and no bearer token was given' }
      if (token === undefined) return { refused: 'neither a client certificate of this mesh nor a bearer token was given' }
      if (!reviewer) return { refused: 'tokens cannot be checked: this control plane runs without Kubernetes' }
      const result = await reviewer.review(token)
      if ('refused' in result) return result
      const { namespace, name, pod } = result.account
      return { identities: [identityUri(trustDomain, namespace, name)], by: 'token', ...(pod ? { pod: { namespace, name: pod } } : {}) }
    },
  }
}

/** An identity of this mesh under its present name; nothing for one of another mesh. Its certificate was verified by this mesh's roots. */
function ownIdentity(uri: string, { own, aliases }: TrustDomains): string[] {
  const identity = parseIdentity(uri)
  if (!identity || (identity.trustDomain !== own && !aliases.includes(identity.trustDomain))) return []
  return [identityUri(own, identity.namespace, identity.serviceAccount)]
}

/** The token of `Bearer …` (or Istio's older `Istio …`); the scheme's case does not matter. */
export function bearerToken(authorization: string | undefined): string | undefined {
  const match = /^(?:bearer|istio) +([^\s]+)$/i.exec(authorization ?? '')
  return match?.[1]
}
