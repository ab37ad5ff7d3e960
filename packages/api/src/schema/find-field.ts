/** Where a field of a given name would be right: for fields that a user put in the wrong place. */
import type { MessageNode, Node } from './node.ts'

/** The shallowest place in `root` that has a field `name`, such as `trafficPolicy.outlierDetection`. */
export function placeOfField(root: MessageNode, name: string): string | undefined {
  let level: [MessageNode, string][] = [[root, '']]
  for (let depth = 0; depth < 8 && level.length > 0; depth++) {
    const found = level.find(([node]) => Object.hasOwn(node.fields, name))
    if (found) return found[1]
    level = level.flatMap(([node, path]) => children(node, path))
  }
  return undefined
}

function children(node: MessageNode, path: string): [MessageNode, string][] {
  return Object.entries(node.fields).flatMap(([name, { node: child }]) => {
    const [inner, suffix] = innermost(child)
    return inner.kind === 'message' ? [[inner, `${path === '' ? '' : `${path}.`}${name}${suffix}`]] : []
  })
}

function innermost(node: Node): [Node, string] {
  if (node.kind === 'list') return [node.items, '[]']
  return node.kind === 'map' ? [node.values, '[…]'] : [node, '']
}
