/** Which user and rights a container gets. */
import type { Image } from '../images/catalogue.ts'
import { type Container, type Pod, podSpec } from '../kube/pod.ts'
import type { Credentials } from './container-process.ts'
import { ConfigMissing } from './environment.ts'

/** What container engines give by default. */
const DEFAULT_CAPABILITIES = [
  'audit_write',
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'kill',
  'mknod',
  'net_bind_service',
  'net_raw',
  'setfcap',
  'setgid',
  'setpcap',
  'setuid',
  'sys_chroot',
]

/**
 * User, groups and capabilities.
 *
 * @throws ConfigMissing when `runAsNonRoot` is asked for and the user would be root
 */
export function credentialsOf(pod: Pod, container: Container, image: Image, manyIds: boolean): Credentials {
  const kept = manyIds ? [] : (image.oneUserCapabilities ?? [])
  const shared = podSpec(pod).securityContext ?? {}
  const own = container.securityContext ?? {}
  const user = own.runAsUser ?? shared.runAsUser ?? image.user ?? 0
  const group = own.runAsGroup ?? shared.runAsGroup ?? (user === 0 ? 0 : user)
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && user === 0 && own.runAsUser === undefined && shared.runAsUser === undefined) {
    // An image of the catalogue names no user; a user other than root is what was asked for.
    return {
      user: 65532,
      group: 65532,
      groups: groupsOf(shared),
      capabilities: kept,
      noNewPrivileges: own.allowPrivilegeEscalation === false,
    }
  }
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && user === 0) {
    throw new ConfigMissing(`container has runAsNonRoot and runAsUser is 0 (container: ${container.name}); give runAsUser another number`)
  }
  return {
    user,
    group,
    groups: groupsOf(shared),
    capabilities: withKept(capabilitiesOf(own), kept),
    noNewPrivileges: own.allowPrivilegeEscalation === false,
  }
}

function withKept(capabilities: Credentials['capabilities'], kept: readonly string[]): Credentials['capabilities'] {
  return capabilities === 'all' ? 'all' : [...new Set([...capabilities, ...kept])]
}

function groupsOf(shared: { readonly fsGroup?: number; readonly supplementalGroups?: readonly number[] }): number[] {
  return [...new Set([...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])])]
}

function capabilitiesOf(own: NonNullable<Container['securityContext']>): readonly string[] | 'all' {
  if (own.privileged) return 'all'
  const plain = (names: readonly string[] = []) => names.map((name) => name.toLowerCase().replace(/^cap_/, ''))
  const add = plain(own.capabilities?.add)
  const drop = plain(own.capabilities?.drop)
  if (add.includes('all')) return 'all'
  const kept = new Set(drop.includes('all') ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name)))
  for (const name of add) if (/^[a-z_]+$/.test(name)) kept.add(name)
  return [...kept]
}
