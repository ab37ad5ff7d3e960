/** Which host names do not exist, by DNS. */
import { lookup } from 'node:dns/promises'

const MOST_HOSTS = 50

/** Names that a name server says do not exist; a name server that does not answer says nothing. */
export async function unresolvableHosts(hosts: readonly string[]): Promise<ReadonlySet<string>> {
  const asked = [...new Set(hosts)].slice(0, MOST_HOSTS)
  const answers = await Promise.all(asked.map(async (host) => ({ host, missing: await isMissing(host) })))
  return new Set(answers.flatMap(({ host, missing }) => (missing ? [host] : [])))
}

async function isMissing(host: string): Promise<boolean> {
  try {
    await lookup(host)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOTFOUND'
  }
}
