/** The command tree: names and one-line summaries here, each command's code in a file of its own that is loaded when it is used. */
import type { Command } from './command.ts'

export interface Leaf {
  readonly summary: string
  /** Other names, as istioctl's short ones. */
  readonly aliases?: readonly string[]
  readonly hidden?: true
  load(): Promise<Command>
}

export interface Branch {
  readonly summary: string
  readonly aliases?: readonly string[]
  readonly hidden?: true
  readonly children: Tree
  /** What the word does when none of the children follows it. */
  readonly load?: Leaf['load']
}

export type Node = Leaf | Branch
export type Tree = Readonly<Record<string, Node>>

/** Commands of other programs, listed in help; the dispatcher runs them before the tree is looked at. */
export interface Foreign {
  readonly name: string
  readonly summary: string
}

export function isBranch(node: Node): node is Branch {
  return 'children' in node
}

/** The node below `tree` that has this name or alias, with its proper name. */
export function childNamed(tree: Tree, word: string): { readonly name: string; readonly node: Node } | undefined {
  const own = Object.hasOwn(tree, word) ? tree[word] : undefined
  if (own) return { name: word, node: own }
  const found = Object.entries(tree).find(([, node]) => node.aliases?.includes(word))
  return found && { name: found[0], node: found[1] }
}
