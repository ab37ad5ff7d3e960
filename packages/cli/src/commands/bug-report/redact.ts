/** Keys and tokens out of text that goes to somebody else. */

const told = (what: string, text: string): string => `(${what} of ${text.length} characters)`

/** To its end, or to that of the text: half a key is too much as well. */
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]*?(?:-----END \1PRIVATE KEY-----|$)/g
/** `-----BEGIN` in base64. */
const ENCODED_PEM = /LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,}={0,2}/g
/** Two objects of JSON in base64url, and a signature; looked for where such text begins, so that long text is gone through once. */
const JSON_WEB_TOKEN = /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g
const AUTHORIZATION = /\b(Bearer|Basic)(\s+)([\w+/=.~-]{12,})/gi

/** `text` with lengths in the places of private keys, JSON web tokens and what `Authorization` headers hold. */
export function withoutKeys(text: string): string {
  return text
    .replace(PRIVATE_KEY, (key) => told('private key', key))
    .replace(ENCODED_PEM, (encoded) => {
      const isKey = Buffer.from(encoded, 'base64').toString('latin1').includes('PRIVATE KEY')
      return isKey ? told('private key', encoded) : encoded
    })
    .replace(JSON_WEB_TOKEN, (token) => told('token', token))
    .replace(AUTHORIZATION, (_, scheme: string, space: string, value: string) => `${scheme}${space}${told('text', value)}`)
}

const SECRET_NAME = /(SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?|(^|_)TOKEN)$/i
const DEPTH = 64

/** Environment variables (`{name, value}`) with names of secrets lose their value, wherever they are. */
export function withoutSecretVariables(value: unknown, depth = 0): unknown {
  if (depth > DEPTH || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => withoutSecretVariables(item, depth + 1))
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [key, withoutSecretVariables(item, depth + 1)])
  const { name, value: held }: { name?: unknown; value?: unknown } = value
  if (typeof name !== 'string' || typeof held !== 'string' || !SECRET_NAME.test(name)) return Object.fromEntries(entries)
  return { ...Object.fromEntries(entries), value: told('text', held) }
}

/** A Secret with the lengths of what it holds. */
export function withoutData(secret: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const lengths = (held: unknown) =>
    typeof held === 'object' && held !== null
      ? Object.fromEntries(Object.entries(held).map(([key, text]) => [key, told('text', String(text))]))
      : undefined
  const [data, stringData] = [lengths(secret['data']), lengths(secret['stringData'])]
  return { ...secret, ...(data && { data }), ...(stringData && { stringData }) }
}
