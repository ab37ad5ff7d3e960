/** A control plane that fetches keys from addresses that users name, without being kept from internal ones. */
import type { Analyzer } from '../../analyzer.ts'
import { fullName, type Resource } from '../../resource.ts'

const VARIABLE = 'BLOCKED_CIDRS_IN_JWKS_URIS'
const MOST_NAMES = 5

export const blockedCidrs: Analyzer = {
  name: 'authn.BlockedCIDRsAnalyzer',
  description: `Whether the control plane has ${VARIABLE} when RequestAuthentications make it fetch keys`,
  inputs: ['RequestAuthentication', 'Deployment'],
  messages: ['JwksUriFetchUnrestricted'],
  analyze(world, report) {
    const names = world.of('RequestAuthentication').map(fullName).sort()
    if (names.length === 0) return
    for (const deployment of world.of('Deployment')) {
      if (deployment.labels['app'] !== 'istiod' || isRestricted(deployment)) continue
      const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : ''
      report('JwksUriFetchUnrestricted', deployment, { count: names.length, names: `${names.slice(0, MOST_NAMES).join(', ')}${more}` })
    }
  },
}

function isRestricted({ spec }: Resource<'Deployment'>): boolean {
  return spec.pod.containers.some(({ env }) => env.some(({ name, value }) => name === VARIABLE && value !== ''))
}
