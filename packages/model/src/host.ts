/** Host names as Istio's fields write them: short names, fully qualified names, wildcards. */

/** Whether a name begins with a wildcard label (`*` or `*.example.com`). */
export function isWildcard(host: string): boolean {
  return host.startsWith('*')
}

/**
 * Whether `pattern` covers `host`: equal, or a wildcard with the same ending. A wildcard pattern also covers a wildcard host that
 * is at least as narrow (`*.com` covers `*.example.com`).
 */
export function hostMatches(pattern: string, host: string): boolean {
  if (pattern === host) return true
  if (!isWildcard(pattern)) return false
  if (pattern === '*') return true
  const suffix = pattern.slice(1)
  const rest = isWildcard(host) ? host.slice(1) : host
  return rest.length >= suffix.length && rest.endsWith(suffix)
}

/** Whether two patterns have a host in common. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostMatches(a, b) || hostMatches(b, a)
}

/**
 * Orders patterns from the most to the least specific: exact names before wildcards, longer before shorter, then by text.
 */
export function bySpecificity(a: string, b: string): number {
  const wild = Number(isWildcard(a)) - Number(isWildcard(b))
  if (wild !== 0) return wild
  if (a.length !== b.length) return b.length - a.length
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * A host of a VirtualService destination or a DestinationRule, fully qualified: a name without a dot is a service of the object's
 * own namespace; any other name is taken as it is. Names are alike whatever their case: all come in small letters.
 */
export function resolveHost(host: string, namespace: string, domain: string): string {
  const name = host.toLowerCase()
  return name === '*' || name.includes('.') || name === '' ? name : `${name}.${namespace}.svc.${domain}`
}

/**
 * Every pattern that covers `host`, from the host itself to `*`: what to look under in an index whose texts are patterns. The size
 * is bounded by the number of labels.
 */
export function patternsOver(host: string): readonly string[] {
  const texts = [host]
  const rest = isWildcard(host) ? host.slice(1) : host
  for (let dot = rest.indexOf('.', isWildcard(host) ? 1 : 0); dot >= 0; dot = rest.indexOf('.', dot + 1)) texts.push(`*${rest.slice(dot)}`)
  texts.push('*')
  return [...new Set(texts)]
}
