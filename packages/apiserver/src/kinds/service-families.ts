/** Which address families a Service has, as the API server of a single-stack or dual-stack cluster decides it. */
import { familyOf, type IpFamily } from '@lateen/base'
import { type FieldError, invalid } from '../errors.ts'
import { into, list, type Obj, obj, str } from '../values.ts'

const FAMILIES = ['IPv4', 'IPv6'] as const
const isFamily = (text: string): text is IpFamily => FAMILIES.some((family) => family === text)

/** Fills in `ipFamilies` and `ipFamilyPolicy` from what is asked for; `old` is the stored Service on an update. */
export function decideFamilies(service: Obj, old: Obj | undefined, dualStack: boolean): FieldError[] {
  const spec = into(service, 'spec')
  const asked = list(spec['ipFamilies']).map(str).filter(isFamily)
  if (isHeadlessWithoutSelector(spec)) {
    // Whoever writes its endpoints may write them of both families, whatever the cluster has.
    spec['ipFamilyPolicy'] ??= asked.length === 1 ? 'SingleStack' : 'RequireDualStack'
    spec['ipFamilies'] ??= spec['ipFamilyPolicy'] === 'SingleStack' ? ['IPv4'] : [...FAMILIES]
    return []
  }
  const addresses = addressesAsked(spec)
  spec['ipFamilyPolicy'] ??= asked.length === 2 || addresses.length === 2 ? 'RequireDualStack' : 'SingleStack'
  const policy = str(spec['ipFamilyPolicy'])
  const errors = dualStack ? unsuitable(asked, addresses, policy, old) : unavailable(asked, policy)
  const primary = asked[0] ?? (addresses[0] ? familyOf(addresses[0]) : 'IPv4')
  const both = dualStack && policy !== 'SingleStack'
  spec['ipFamilies'] = both ? [primary, ...FAMILIES.filter((family) => family !== primary)] : [primary]
  return errors
}

/** Addresses that a Service names itself, the first family's first. */
export function addressesAsked(spec: Obj): string[] {
  const all = list(spec['clusterIPs']).map(str)
  const named = all.length > 0 ? all : [str(spec['clusterIP'])]
  return named.filter((address) => address !== '' && address !== 'None')
}

function isHeadlessWithoutSelector(spec: Obj): boolean {
  const headless = spec['clusterIP'] === 'None' || list(spec['clusterIPs'])[0] === 'None'
  return headless && Object.keys(obj(spec['selector'])).length === 0
}

function unavailable(asked: readonly IpFamily[], policy: string): FieldError[] {
  const errors: FieldError[] = []
  if (policy === 'RequireDualStack')
    errors.push(invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'))
  const index = asked.indexOf('IPv6')
  if (index >= 0) errors.push(invalid(`spec.ipFamilies[${index}]`, 'IPv6', 'not configured on this cluster'))
  return errors
}

function unsuitable(asked: readonly IpFamily[], addresses: readonly string[], policy: string, old: Obj | undefined): FieldError[] {
  const errors: FieldError[] = []
  const before = list(obj(old?.['spec'])['ipFamilies'])
  // What was dual-stack and is to be so no more keeps its first family, though the object still lists both.
  if (policy === 'SingleStack' && asked.length > 1 && before.length < 2) {
    const words = 'must be RequireDualStack or PreferDualStack when multiple IP families are specified'
    errors.push(invalid('spec.ipFamilyPolicy', policy, words))
  }
  addresses.forEach((address, i) => {
    const wanted = asked[i]
    if (wanted && familyOf(address) !== wanted)
      errors.push(invalid(`spec.clusterIPs[${i}]`, address, `expected an ${wanted} value as indicated by \`spec.ipFamilies[${i}]\``))
  })
  return errors
}
