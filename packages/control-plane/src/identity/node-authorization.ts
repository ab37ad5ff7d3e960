/** Whether a proven identity may act for the node that a proxy says it is. */
import { parseIdentity } from '@lateen/ca'

export interface ClaimedNode {
  /** `sidecar~10.0.0.7~cart-x.shop~shop.svc.cluster.local` */
  readonly id: string
  readonly metadata: Readonly<Record<string, unknown>>
}

/** What the identity that matched is; `undefined` with a reason when none does. */
export type NodeAuthorization =
  | { readonly namespace: string; readonly serviceAccount: string; readonly uri: string }
  | { readonly refused: string }

/**
 * The node's namespace, wherever it is claimed (metadata, pod name, DNS suffix), and its service account must be those of one of
 * the identities.
 */
export function authorizeNode(node: ClaimedNode, identities: readonly string[]): NodeAuthorization {
  const namespaces = claimedNamespaces(node)
  const account = textOf(node.metadata.SERVICE_ACCOUNT)
  for (const uri of identities) {
    const identity = parseIdentity(uri)
    if (!identity) continue
    const { namespace, serviceAccount } = identity
    if (namespaces.some((claimed) => claimed !== namespace)) continue
    if (account !== '' && account !== serviceAccount) continue
    return { namespace, serviceAccount, uri }
  }
  const claim = `namespace ${namespaces.join(' and ') || '(none)'}${account ? `, service account ${account}` : ''}`
  return { refused: `node ${node.id.slice(0, 200)} claims ${claim}, but was proven to be ${identities.join(', ') || 'nobody'}` }
}

/** Every namespace that the node's id and metadata name. */
export function claimedNamespaces(node: ClaimedNode): string[] {
  const [, , workload = '', suffix = ''] = node.id.split('~')
  const dot = workload.lastIndexOf('.')
  const claimed = [textOf(node.metadata.NAMESPACE), dot < 0 ? '' : workload.slice(dot + 1), suffix.split('.svc.')[0] ?? '']
  return [...new Set(claimed.filter((namespace) => namespace !== '' && !namespace.includes('.')))]
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
