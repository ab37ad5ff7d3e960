/** resolv.conf: where to forward, and what resolvers put behind names. */
import { isIP } from 'node:net'

export interface ResolvConf {
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
}

const MAX_NAMESERVERS = 3
const MAX_SEARCH = 32

/** Parses the text; what is not understood is passed over, as resolvers do. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  let search: string[] = []
  for (const line of text.split('\n')) {
    const [key, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (key === 'nameserver') nameservers.push(...values.slice(0, 1).filter((ip) => isIP(ip.split('%')[0] ?? '') !== 0))
    else if (key === 'search' || key === 'domain') search = values
  }
  return {
    nameservers: nameservers.slice(0, MAX_NAMESERVERS),
    search: search
      .map((domain) => domain.replace(/\.$/, ''))
      .filter(Boolean)
      .slice(0, MAX_SEARCH),
  }
}
