/** The command tree: names and one-line summaries here, each command's code in a file of its own that is loaded when it is used. */
import type { Command } from './command.ts'

export interface Leaf {
  readonly summary: string
  readonly hidden?: true
  load(): Promise<Command>
}

export interface Branch {
  readonly summary: string
  readonly children: Readonly<Record<string, Leaf>>
}

export type Tree = Readonly<Record<string, Leaf | Branch>>

/** Commands of other programs, listed in help; the dispatcher runs them before the tree is looked at. */
export interface Foreign {
  readonly name: string
  readonly summary: string
}

export function isBranch(node: Leaf | Branch): node is Branch {
  return 'children' in node
}
