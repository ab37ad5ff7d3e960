/** What a batch of changes is about, in the words of istiod's `pilot_push_triggers`. */
import type { ConfigChange } from '@lateen/config'

export function reasonsOf(changes: readonly ConfigChange[]): ReadonlySet<string> {
  return new Set(changes.map(({ object }) => reasonOf(object.kind)))
}

function reasonOf(kind: string): string {
  switch (kind) {
    case 'EndpointSlice':
    case 'Pod':
    case 'WorkloadEntry':
      return 'endpoint'
    case 'Service':
    case 'ServiceEntry':
      return 'service'
    case 'Secret':
      return 'secret'
    case 'Namespace':
      return 'namespace'
    default:
      return 'config'
  }
}
