/**
 * Service account tokens (RS256 JWTs) and the administrator's token: making and checking them.
 *
 * Enters: a bearer token. Leaves: the user it stands for, provided that the account and the pod it is bound to still exist.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto'
import type { Store } from '../storage/store.ts'
import { at, isObj, list, num, type Obj, obj, str } from '../values.ts'
import { ADMIN, serviceAccountName, type User } from './user.ts'

const MAX_TOKEN = 16 * 1024

export interface TokenSubject {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface Binding {
  readonly kind: string
  readonly name: string
  readonly uid: string
}

export class Tokens {
  readonly issuer: string
  /** Audiences of the API server itself: what a token is for when nothing else is asked. */
  readonly audiences: readonly string[]
  readonly publicPem: string
  readonly #private: KeyObject
  readonly #public: KeyObject
  readonly #keyId: string
  readonly #store: Store
  readonly #adminDigest: Buffer
  readonly #checked = new Map<string, Obj>()

  constructor(options: { signingKeyPem: string; issuer: string; adminToken: string; store: Store }) {
    this.#private = createPrivateKey(options.signingKeyPem)
    this.#public = createPublicKey(this.#private)
    this.publicPem = this.#public.export({ type: 'spki', format: 'pem' }).toString()
    this.#keyId = createHash('sha256')
      .update(this.#public.export({ type: 'spki', format: 'der' }))
      .digest('base64url')
    this.issuer = options.issuer
    this.audiences = [options.issuer]
    this.#store = options.store
    this.#adminDigest = digest(options.adminToken)
  }

  /** A signed token. Times are in seconds since 1970. */
  issue(
    subject: TokenSubject,
    audiences: readonly string[],
    lifetime: number,
    bound: Binding | undefined,
    node?: Binding,
  ): { token: string; expires: number } {
    const issued = Math.floor(Date.now() / 1000)
    const expires = issued + lifetime
    const claims = {
      aud: audiences,
      exp: expires,
      iat: issued,
      iss: this.issuer,
      jti: crypto.randomUUID(),
      'kubernetes.io': {
        namespace: subject.namespace,
        ...(node ? { node: { name: node.name, uid: node.uid } } : {}),
        ...(bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}),
        serviceaccount: { name: subject.name, uid: subject.uid },
      },
      nbf: issued,
      sub: serviceAccountName(subject.namespace, subject.name),
    }
    const head = `${encode({ alg: 'RS256', kid: this.#keyId })}.${encode(claims)}`
    return { token: `${head}.${sign('RSA-SHA256', Buffer.from(head), this.#private).toString('base64url')}`, expires }
  }

  /**
   * The user of a token.
   *
   * @param audiences those that the caller accepts; the token must name one of them
   * @returns the user and the audiences that both name, or why the token is refused
   */
  authenticate(
    token: string,
    audiences: readonly string[] = this.audiences,
  ): { user: User; audiences: readonly string[] } | { error: string } {
    if (token.length > MAX_TOKEN) return { error: 'the token is too long' }
    if (timingSafeEqual(digest(token), this.#adminDigest)) return { user: ADMIN, audiences }
    const claims = this.#claims(token)
    if (typeof claims === 'string') return { error: claims }
    const seconds = Date.now() / 1000
    if (num(claims['exp']) <= seconds) return { error: 'service account token has expired' }
    if (num(claims['nbf']) > seconds + 60) return { error: 'service account token is not valid yet' }
    const named = list(claims['aud']).map(str)
    const common = audiences.filter((a) => named.includes(a))
    if (common.length === 0)
      return { error: `token audiences ${JSON.stringify(named)} is invalid for the target audiences ${JSON.stringify(audiences)}` }
    const details = obj(claims['kubernetes.io'])
    const namespace = str(details['namespace'])
    const name = str(at(details, 'serviceaccount', 'name'))
    const account = this.#store.collection('/serviceaccounts').get(`${namespace}/${name}`)
    const uid = str(at(details, 'serviceaccount', 'uid'))
    if (!account || str(at(account.object, 'metadata', 'uid')) !== uid) return { error: 'service account has been deleted' }
    const extra: Record<string, readonly string[]> = {}
    const id = str(claims['jti'])
    if (id) extra['authentication.kubernetes.io/credential-id'] = [`JTI=${id}`]
    for (const [kind, collection] of [
      ['pod', '/pods'],
      ['secret', '/secrets'],
    ] as const) {
      const bound = details[kind]
      if (!isObj(bound)) continue
      const found = this.#store.collection(collection).get(`${namespace}/${str(bound['name'])}`)
      if (!found || str(at(found.object, 'metadata', 'uid')) !== str(bound['uid']))
        return { error: `the ${kind} that the token is bound to has been deleted` }
      if (kind === 'pod') {
        extra['authentication.kubernetes.io/pod-name'] = [str(bound['name'])]
        extra['authentication.kubernetes.io/pod-uid'] = [str(bound['uid'])]
      }
    }
    const node = details['node']
    if (isObj(node)) {
      extra['authentication.kubernetes.io/node-name'] = [str(node['name'])]
      extra['authentication.kubernetes.io/node-uid'] = [str(node['uid'])]
    }
    return {
      user: {
        name: serviceAccountName(namespace, name),
        uid,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        extra,
      },
      audiences: common,
    }
  }

  #claims(token: string): Obj | string {
    const known = this.#checked.get(token)
    if (known) return known
    const [header = '', payload = '', signature = '', rest] = token.split('.')
    if (rest !== undefined || header === '' || payload === '' || signature === '') return 'the token is not one of this cluster'
    const claims = decodePart(payload)
    const head = decodePart(header)
    if (!claims || head?.['alg'] !== 'RS256' || claims['iss'] !== this.issuer) return 'the token is not one of this cluster'
    if (!verify('RSA-SHA256', Buffer.from(`${header}.${payload}`), this.#public, Buffer.from(signature, 'base64url')))
      return 'the signature of the token is not valid'
    if (this.#checked.size >= 1000) this.#checked.clear()
    this.#checked.set(token, claims)
    return claims
  }

  /** The OIDC discovery document. */
  discovery(): Obj {
    return {
      issuer: this.issuer,
      jwks_uri: `${this.issuer.replace(/\/$/, '')}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }
  }

  /** The keys that verify tokens. */
  jwks(): Obj {
    return { keys: [{ use: 'sig', alg: 'RS256', kid: this.#keyId, ...this.#public.export({ format: 'jwk' }) }] }
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function decodePart(text: string): Obj | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return isObj(value) ? value : undefined
  } catch {
    return undefined
  }
}
