/** Tokens of service accounts, from the API server's TokenRequest. */
import type { KubeClient } from '@lateen/kube'
import { SERVICE_ACCOUNT } from './kinds.ts'

export interface TokenRequest {
  readonly namespace: string
  readonly account: string
  /** The API server's own when not given. */
  readonly audience?: string | undefined
  readonly expirationSeconds: number
  /** The token is worth nothing once this object is gone. */
  readonly boundTo: { readonly kind: 'Pod' | 'Secret'; readonly name: string; readonly uid: string | undefined }
}

export interface IssuedToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expires: number
}

/** @throws KubeError of the API server, as for an account that does not exist; Error when it gives no token */
export async function requestToken(client: KubeClient, wanted: TokenRequest): Promise<IssuedToken> {
  const { namespace, account, audience, expirationSeconds, boundTo } = wanted
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/${SERVICE_ACCOUNT.plural}/${encodeURIComponent(account)}/token`
  const answer = await client.request('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { ...(audience ? { audiences: [audience] } : {}), expirationSeconds, boundObjectRef: { apiVersion: 'v1', ...boundTo } },
  })
  const status = typeof answer === 'object' && answer !== null && 'status' in answer ? answer.status : undefined
  if (typeof status !== 'object' || status === null || !('token' in status) || typeof status.token !== 'string') {
    throw new Error('the API server gave no token for the service account')
  }
  const expires =
    'expirationTimestamp' in status && typeof status.expirationTimestamp === 'string' ? Date.parse(status.expirationTimestamp) : Number.NaN
  return { token: status.token, expires: Number.isNaN(expires) ? Date.now() + 3_600_000 : expires }
}
