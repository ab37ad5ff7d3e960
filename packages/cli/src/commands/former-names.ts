/** Names that commands had in earlier versions of istioctl: they work, and are in no help. */
import type { Node, Tree } from '../shell/tree.ts'
import { isBranch } from '../shell/tree.ts'

/** Commands that were experimental once. */
const ONCE_EXPERIMENTAL = [
  'analyze',
  'kube-inject',
  'create-remote-secret',
  'remote-clusters',
  'tag',
  'waypoint',
  'ztunnel-config',
  'proxy-status',
  'version',
  'authz',
]

/** Other words for a command of now. */
const RENAMED: Readonly<Record<string, string>> = { 'verify-install': 'check' }

const hidden = (node: Node): Node => ({ ...node, hidden: true })

export function withFormerNames(tree: Tree): Tree {
  const renamed = Object.entries(RENAMED).flatMap(([was, is]) => {
    const node = tree[is]
    return node && !tree[was] ? [[was, hidden(node)] as const] : []
  })
  const { x } = tree
  // Checks of authorization moved the other way.
  const authz = x && isBranch(x) && !tree['authz'] ? x.children['authz'] : undefined
  if (authz) renamed.push(['authz', hidden(authz)])
  if (!x || !isBranch(x)) return { ...tree, ...Object.fromEntries(renamed) }
  const moved = ONCE_EXPERIMENTAL.flatMap((name) => {
    const node = tree[name]
    // Short names stay those of the experimental commands that there are.
    return node && !x.children[name] ? [[name, { ...hidden(node), aliases: [] }] as const] : []
  })
  return { ...tree, x: { ...x, children: { ...x.children, ...Object.fromEntries(moved) } }, ...Object.fromEntries(renamed) }
}
