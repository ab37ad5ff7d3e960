/**
 * Fetches small documents from addresses that users wrote into objects. Bounded in size, time and redirects; forbidden addresses are
 * refused when the connection is made, so that a name cannot mean one address when it is checked and another when it is called.
 */
import { type LookupAddress, lookup as resolveName } from 'node:dns'
import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import type { AddressCheck } from './forbidden-addresses.ts'

export class FetchError extends Error {
  readonly code = 'FETCH_FAILED'
}

export interface FetchOptions {
  readonly mayCall: AddressCheck
  /** For everything together: names, connections, redirects, the answer (milliseconds). */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  readonly tls: FetchTls
}

export interface FetchTls {
  /** Authorities besides those that Node knows, as PEM. */
  readonly authorities?: readonly string[]
  /** Servers are believed without a certificate that proves them; only for tests of a mesh. */
  readonly insecure: boolean
}

/** Longest answer (bytes): a key set has a few keys of a few kilobytes. */
export const LONGEST_ANSWER = 256 * 1024
const MOST_REDIRECTS = 3
const LONGEST_ADDRESS = 2_048

/**
 * The text at an address.
 *
 * @throws FetchError saying what was wrong with the address, the server or its answer
 */
export async function boundedFetch(address: string, options: FetchOptions): Promise<string> {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
  let url = parse(address)
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(url, { ...options, signal }).catch((error: unknown) => {
      if (timeout.aborted) throw new FetchError(`${shown(url)} did not answer within ${options.timeoutMs} ms`)
      throw error instanceof FetchError ? error : new FetchError(`${shown(url)} cannot be reached: ${textOf(error)}`, { cause: error })
    })
    if (answer.text !== undefined) return answer.text
    if (redirects === MOST_REDIRECTS) throw new FetchError(`${shown(url)} redirects more than ${MOST_REDIRECTS} times`)
    const next = parse(answer.location, url)
    if (url.protocol === 'https:' && next.protocol !== 'https:')
      throw new FetchError(`${shown(url)} redirects from https to ${shown(next)}`)
    url = next
  }
}

function parse(address: string, base?: URL): URL {
  const url = address.length <= LONGEST_ADDRESS ? URL.parse(address, base) : null
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '') {
    throw new FetchError(`"${address.slice(0, 200)}" is not an http or https address without a user name`)
  }
  return url
}

type Answer = { readonly text: string } | { readonly text: undefined; readonly location: string }

function ask(url: URL, { mayCall, signal, tls }: FetchOptions & { readonly signal: AbortSignal }): Promise<Answer> {
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  // Node does not look up what is an address already.
  if (isIP(literal) !== 0 && !mayCall(literal)) throw new FetchError(forbidden(url, literal))
  const common: RequestOptions = {
    method: 'GET',
    agent: false,
    signal,
    lookup: checkedLookup(url, mayCall),
    headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'lateen-discovery' },
    maxHeaderSize: 16 * 1024,
  }
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing =
    url.protocol === 'http:'
      ? requestHttp(url, common)
      : requestHttps(url, { ...common, rejectUnauthorized: !tls.insecure, ...(tls.authorities && { ca: [...tls.authorities] }) })
  outgoing.on('error', reject)
  outgoing.on('response', (incoming) => {
    const status = incoming.statusCode ?? 0
    const fail = (why: string) => {
      reject(new FetchError(`${shown(url)} ${why}`))
      incoming.destroy()
    }
    if (status >= 300 && status < 400 && incoming.headers.location) {
      resolve({ text: undefined, location: incoming.headers.location })
      incoming.destroy()
      return
    }
    if (status < 200 || status >= 300) return fail(`answers with status ${status}`)
    const parts: Buffer[] = []
    let size = 0
    incoming.on('data', (part: Buffer) => {
      size += part.length
      if (size > LONGEST_ANSWER) fail(`answers with more than ${LONGEST_ANSWER / 1024} KiB`)
      else parts.push(part)
    })
    incoming.on('end', () => resolve({ text: Buffer.concat(parts).toString('utf8') }))
    incoming.on('error', reject)
  })
  outgoing.end()
  return promise
}

/** Only addresses that may be called come back; a name that has none is refused. */
function checkedLookup(url: URL, mayCall: AddressCheck): NonNullable<RequestOptions['lookup']> {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, found: readonly LookupAddress[]) => {
      if (error) return callback(error, '')
      const [first, ...more] = found.filter(({ address }) => mayCall(address))
      if (!first) return callback(new FetchError(forbidden(url, found.map(({ address }) => address).join(', '))), '')
      if (options.all) callback(null, [first, ...more])
      else callback(null, first.address, first.family)
    })
  }
}

const forbidden = (url: URL, address: string): string =>
  `${shown(url)} is at ${address}, which may not be called: loopback and link-local addresses are refused unless LATEEN_JWKS_ALLOWED_CIDRS lists them`

/** Without its query, which may hold a secret. */
const shown = (url: URL): string => `${url.origin}${url.pathname}`
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
