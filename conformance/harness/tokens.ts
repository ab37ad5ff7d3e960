/** Tokens (JWT) of a test's own issuer, also such as no issuer would make. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export const ISSUER = 'https://issuer.example.com'

export type Claims = Readonly<Record<string, unknown>>

export interface SigningKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export function newSigningKey(kid: string): SigningKey {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) }
}

/** The public keys, as issuers publish them. */
export function keySet(...keys: readonly SigningKey[]): string {
  return JSON.stringify({
    keys: keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' })),
  })
}

/** Seconds from now, as claims count. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds

/** Claims of the caller `ann`, good for ten minutes. */
export const goodClaims = (more: Claims = {}): Claims => ({ iss: ISSUER, sub: 'ann', exp: inSeconds(600), ...more })

/** Signed with RS256; `header` says more, or otherwise, of it. */
export function token(claims: Claims, key: SigningKey, header: Claims = {}): string {
  const text = unsigned({ alg: 'RS256', kid: key.kid, ...header }, claims)
  return `${text}.${sign('sha256', Buffer.from(text), key.privateKey).toString('base64url')}`
}

/** No signature at all; `header` says otherwise of it than that it needs none. */
export const unsignedToken = (claims: Claims, header: Claims = {}): string => `${unsigned({ alg: 'none', ...header }, claims)}.`

/** Signed with a key that the token itself names, in its header and by an address: good to whoever looks there. */
export const selfVouchingToken = (claims: Claims, key: SigningKey): string =>
  token(claims, key, {
    jwk: { ...key.publicKey.export({ format: 'jwk' }), kid: key.kid },
    jku: 'https://keys.example.com/',
    x5u: 'https://keys.example.com/',
  })

/** The public key taken for a secret: good to whoever believes the token's word about its own algorithm. */
export function confusedToken(claims: Claims, key: SigningKey): string {
  const text = unsigned({ alg: 'HS256', kid: key.kid }, claims)
  const secret = key.publicKey.export({ type: 'spki', format: 'pem' })
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** The signature of other claims than those it has. */
export function alteredToken(claims: Claims, altered: Claims, key: SigningKey): string {
  const [header = '', , signature = ''] = token(claims, key).split('.')
  return `${header}.${part({ ...claims, ...altered })}.${signature}`
}

const unsigned = (header: Claims, claims: Claims): string => `${part(header)}.${part(claims)}`
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
