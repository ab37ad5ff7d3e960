/**
 * Trust domains in principals. A policy names an identity with one trust domain; the mesh may be known by several. A principal of
 * any of them, or of `cluster.local`, which stands for the mesh whatever it is called, is meant for all of them.
 */
const WHATEVER_IT_IS_CALLED = 'cluster.local'

/** The principals that a list means in a mesh of these trust domains, the mesh's own name first. */
export function withAliases(principals: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return principals.flatMap((principal) => {
    const [domain = '', ...rest] = principal.split('/')
    // Not of the form domain/ns/namespace/sa/account, or of any domain: nothing to put in its place.
    if (rest.length !== 4 || domain === '*') return [principal]
    const ours = domain === WHATEVER_IT_IS_CALLED || trustDomains.some((own) => fits(domain, own) || fits(own, domain))
    if (!ours) return [principal]
    // A pattern that covers a name stays as it is for that name.
    const all = trustDomains.map((own) => (domain.startsWith('*') && own.endsWith(domain.slice(1)) ? principal : [own, ...rest].join('/')))
    return [...new Set(all)]
  })
}

/** The trust domains that a list means: one of the mesh's stands for all of its names. */
export function allNames(values: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return [...new Set(values.flatMap((value) => (trustDomains.includes(value) ? trustDomains : [value])))]
}

function fits(pattern: string, text: string): boolean {
  if (pattern === text) return true
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  return pattern.endsWith('*') && text.startsWith(pattern.slice(0, -1))
}
