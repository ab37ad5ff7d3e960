/** The words of a command line, the last one being written → what it may become. */
import type { Command, Context, Flag } from '../../shell/command.ts'
import { isSwitch } from '../../shell/flag-values.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { childNamed, isBranch, type Tree } from '../../shell/tree.ts'
import { type Asked, argumentValues, valuesOf } from './values.ts'

export interface Candidate {
  readonly name: string
  readonly meaning: string
}

export type Surroundings = Pick<Context, 'env' | 'home' | 'tree' | 'foreign'>

export async function candidates(words: readonly string[], around: Surroundings): Promise<Candidate[]> {
  const current = words.at(-1) ?? ''
  const place = await placeOf(words.slice(0, -1), around.tree)
  const found = await possible(current, words, place, around)
  return found.filter(({ name }) => name.startsWith(current)).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

interface Place {
  /** Below a branch. */
  readonly children: Tree | undefined
  readonly command: Command | undefined
  /** Arguments that are there already. */
  readonly args: readonly string[]
  /** A flag that waits for its value. */
  readonly pending: Flag | undefined
}

/** Walks the words before the one that is written. */
async function placeOf(words: readonly string[], tree: Tree): Promise<Place> {
  let children: Tree | undefined = tree
  let command: Command | undefined
  let pending: Flag | undefined
  const args: string[] = []
  for (const word of words) {
    if (pending) pending = undefined
    else if (word.startsWith('-') && word !== '-')
      pending = word.includes('=') ? undefined : waitingFlag(word, command?.flags ?? KUBE_FLAGS)
    else {
      const found: ReturnType<typeof childNamed> = children && childNamed(children, word)
      if (!found) args.push(word)
      else {
        command = found.node.load && (await found.node.load())
        children = isBranch(found.node) ? found.node.children : undefined
      }
    }
  }
  return { children, command, args, pending }
}

function waitingFlag(word: string, flags: readonly Flag[]): Flag | undefined {
  const flag = flags.find(({ name, short }) => word === `--${name}` || word === `-${short}`)
  return flag && !isSwitch(flag) ? flag : undefined
}

async function possible(current: string, words: readonly string[], place: Place, around: Surroundings): Promise<Candidate[]> {
  const flags = place.command?.flags ?? KUBE_FLAGS
  const asked: Asked = { current, words, args: place.args, around }
  const equals = current.startsWith('--') ? current.indexOf('=') : -1
  if (equals > 0) {
    const flag = flags.find(({ name }) => current.slice(2, equals) === name)
    const values = flag ? await valuesOf(flag, { ...asked, current: current.slice(equals + 1) }) : []
    return values.map((each) => ({ ...each, name: `${current.slice(0, equals)}=${each.name}` }))
  }
  if (place.pending) return valuesOf(place.pending, asked)
  if (current.startsWith('-')) {
    return [...flags.filter(({ hidden }) => !hidden), { name: 'help', help: 'help for this command' }].map(({ name, help }) => ({
      name: `--${name}`,
      meaning: help,
    }))
  }
  const below = Object.entries(place.children ?? {})
    .filter(([, { hidden }]) => !hidden)
    .map(([name, { summary }]) => ({ name, meaning: summary }))
  const isTop = place.children === around.tree
  return [
    ...below,
    ...(isTop ? around.foreign.map(({ name, summary }) => ({ name, meaning: summary })) : []),
    ...(await argumentsOf(asked, place.command)),
  ]
}

function argumentsOf(asked: Asked, command: Command | undefined): Promise<Candidate[]> | Candidate[] {
  const declared = command?.args ?? []
  const argument = declared[asked.args.length] ?? declared.find(({ variadic }) => variadic)
  return argument ? argumentValues(argument, asked) : []
}
