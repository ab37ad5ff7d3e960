/** Reading of URLs as strictly as is needed to refuse what Envoy or the control plane could not fetch. */

export interface UrlParts {
  readonly scheme: string
  readonly host: string
  readonly problem?: string
}

/** The scheme and host of a URL, or what is wrong with it. */
export function parseUrl(url: string): UrlParts {
  const [, scheme = '', rest = url] = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(url) ?? []
  const bad = (problem: string): UrlParts => ({ scheme: scheme.toLowerCase(), host: '', problem })
  if (/[\u0000-\u001f\u007f]/.test(url)) return bad('it holds control characters')
  if (/%(?![0-9a-fA-F]{2})/.test(rest)) return bad('a percent sign is not followed by two hex digits')
  if (!rest.startsWith('//')) return { scheme: scheme.toLowerCase(), host: '' }
  const authority = rest.slice(2).split(/[/?]/)[0] ?? ''
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (/[\s"<>\\^`{|}#]/.test(authority)) return bad('the host holds characters that are not allowed')
  const port = /^(\[[^\]]*\]|[^:]*)(:(.*))?$/.exec(host)?.[3]
  if (port !== undefined && !/^[0-9]*$/.test(port)) return bad(`the port "${port}" is not a number`)
  return { scheme: scheme.toLowerCase(), host: host.replace(/:[0-9]*$/, '') }
}
