/** One key set from where it is: an address, or an issuer that says where (OpenID Connect discovery). */
import type { KeySetRequest } from '@lateen/model'
import { boundedFetch, FetchError, type FetchOptions } from './bounded-fetch.ts'

const DISCOVERY = '/.well-known/openid-configuration'

/**
 * Fetches a key set; the text is in one form, so that equal sets are equal texts.
 *
 * @throws FetchError when it cannot be had or is no key set
 */
export async function fetchKeySet({ source }: KeySetRequest, options: FetchOptions): Promise<string> {
  const uri = 'uri' in source ? source.uri : await discover(source.issuer, options)
  const set = parseObject(await boundedFetch(uri, options), uri)
  const keys = set['keys']
  if (!Array.isArray(keys)) throw new FetchError(`${uri} answers with no key set: "keys" is missing`)
  return JSON.stringify({ keys })
}

async function discover(issuer: string, options: FetchOptions): Promise<string> {
  const address = `${issuer.replace(/\/$/, '')}${DISCOVERY}`
  const uri = parseObject(await boundedFetch(address, options), address)['jwks_uri']
  if (typeof uri !== 'string') throw new FetchError(`${address} does not say where the keys are: "jwks_uri" is missing`)
  return uri
}

function parseObject(text: string, from: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new FetchError(`${from} answers with a text that is not JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FetchError(`${from} answers with JSON that is no object`)
  return { ...value }
}
