/** A request as an Envoy sees it. */

export interface HttpRequest {
  readonly method: string
  readonly scheme: string
  /** The Host header. */
  readonly authority: string
  /** With its query. */
  readonly path: string
  /** Other headers; names in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>
}

/** A header's value, several joined as Envoy joins them; undefined when there is none. Pseudo headers and `host` count as headers. */
export function headerOf(request: HttpRequest, name: string): string | undefined {
  switch (name.toLowerCase()) {
    case ':method':
      return request.method
    case ':authority':
    case 'host':
      return request.authority
    case ':path':
      return request.path
    case ':scheme':
      return request.scheme
    default:
      return request.headers.get(name.toLowerCase())?.join(',')
  }
}

/** The path without its query. */
export function pathOnly(path: string): string {
  const end = path.search(/[?#]/)
  return end < 0 ? path : path.slice(0, end)
}

/** The query of a path, with its question mark; empty without one. */
export const queryOf = (path: string): string => (path.includes('?') ? path.slice(path.indexOf('?')) : '')

/** The first value of a query parameter, as it was sent. */
export function queryParameter(path: string, name: string): string | undefined {
  const query = queryOf(path).slice(1)
  if (query === '') return undefined
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    if ((equals < 0 ? pair : pair.slice(0, equals)) === name) return equals < 0 ? '' : pair.slice(equals + 1)
  }
  return undefined
}
