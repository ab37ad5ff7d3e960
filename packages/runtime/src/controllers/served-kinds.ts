/** Which kinds the API serves, one version of each. */
import type { ResourceType } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'

interface ResourceList {
  readonly resources?: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
    readonly verbs: readonly string[]
  }[]
}

interface GroupList {
  readonly groups?: readonly { readonly name: string; readonly preferredVersion?: { readonly version: string } }[]
}

const NEEDED = ['list', 'watch', 'delete', 'patch']
const MOST_KINDS = 500

/** Kinds that can be listed, watched, patched and deleted. A group that cannot be read is left out. */
export async function servedKinds(client: KubeClient): Promise<ResourceType[]> {
  const kinds = typesOf('', 'v1', await client.request<ResourceList>('GET', '/api/v1'))
  const { groups = [] } = await client.request<GroupList>('GET', '/apis')
  for (const group of groups) {
    const version = group.preferredVersion?.version
    if (!version) continue
    const list = await client.request<ResourceList>('GET', `/apis/${group.name}/${version}`).catch((): ResourceList => ({}))
    kinds.push(...typesOf(group.name, version, list))
  }
  return kinds.slice(0, MOST_KINDS)
}

function typesOf(group: string, version: string, list: ResourceList): ResourceType[] {
  return (list.resources ?? [])
    .filter(({ name, verbs }) => !name.includes('/') && NEEDED.every((verb) => verbs.includes(verb)))
    .map(({ name, kind, namespaced }) => ({ group, version, kind, plural: name, namespaced }))
}
