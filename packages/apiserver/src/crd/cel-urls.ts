/** Kubernetes' CEL functions on URLs: `isURL(text)`, `url(text)` and the getters of what it answers. */
import { CelScalar, celFunc, celMethod, isCelMap, mapType } from '@bufbuild/cel'

/** A URL is a map of its parts: expressions see it through the getters only. */
const URL_TYPE = mapType(CelScalar.STRING, CelScalar.STRING)

/** `scheme://authority/path?query#fragment`, or a path that begins with a slash, as Go's `url.ParseRequestURI` takes it. */
const ABSOLUTE =
  /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/(?:[^/?#@\s]*@)?(\[[0-9A-Fa-f:.]+\]|[^/?#@:[\]\s]*)(?::(\d*))?(\/[^?\s]*)?|([^/?\s][^?\s]*))(?:\?(\S*))?$/
const PATH_ONLY = /^(\/[^?\s]*)(?:\?(\S*))?$/

interface Parts {
  readonly scheme: string
  readonly hostname: string
  readonly port: string
  readonly path: string
  readonly query: string
}

function parseUrl(text: string): Parts | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text.split('?')[0] ?? '')) return undefined
  const path = PATH_ONLY.exec(text)
  if (path) return { scheme: '', hostname: '', port: '', path: path[1] ?? '', query: path[2] ?? '' }
  const found = ABSOLUTE.exec(text)
  if (!found) return undefined
  const [, scheme = '', hostname = '', port = '', below = '', , query = ''] = found
  return { scheme: scheme.toLowerCase(), hostname, port, path: below, query }
}

function url(text: string): Map<string, string> {
  const parts = parseUrl(text)
  if (!parts) throw new Error(`"${text.slice(0, 200)}" is not a URL`)
  return new Map(Object.entries(parts))
}

function part(value: unknown, name: keyof Parts): string {
  const found: unknown = isCelMap(value) ? value.get(name) : undefined
  return typeof found === 'string' ? found : ''
}

const bare = (hostname: string) => hostname.replace(/^\[|\]$/g, '')

export const urls = [
  celFunc('isURL', [CelScalar.STRING], CelScalar.BOOL, (text) => parseUrl(text) !== undefined),
  celFunc('url', [CelScalar.STRING], URL_TYPE, url),
  celMethod('getScheme', URL_TYPE, [], CelScalar.STRING, function () {
    return part(this, 'scheme')
  }),
  celMethod('getHost', URL_TYPE, [], CelScalar.STRING, function () {
    const port = part(this, 'port')
    return part(this, 'hostname') + (port === '' ? '' : `:${port}`)
  }),
  celMethod('getHostname', URL_TYPE, [], CelScalar.STRING, function () {
    return bare(part(this, 'hostname'))
  }),
  celMethod('getPort', URL_TYPE, [], CelScalar.STRING, function () {
    return part(this, 'port')
  }),
  celMethod('getEscapedPath', URL_TYPE, [], CelScalar.STRING, function () {
    return part(this, 'path')
  }),
  celMethod('getQuery', URL_TYPE, [], mapType(CelScalar.STRING, CelScalar.DYN), function () {
    const query = new Map<string, string[]>()
    for (const [name, value] of new URLSearchParams(part(this, 'query'))) query.set(name, [...(query.get(name) ?? []), value])
    return query
  }),
]
