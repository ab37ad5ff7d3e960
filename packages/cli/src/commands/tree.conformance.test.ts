/** The command tree against the facts about istioctl: every command, other name, flag, short form and default is there, or listed. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Command, Flag } from '../shell/command.ts'
import { childNamed, isBranch, type Node } from '../shell/tree.ts'
import { ABSENT_COMMANDS, ABSENT_FLAGS, OTHER_DEFAULTS } from './absent.ts'
import { withFormerNames } from './former-names.ts'
import { TREE } from './tree.ts'

const tree = withFormerNames(TREE)

const path = join(import.meta.dirname, '../../../../../shared/facts/istioctl-commands.json')

interface Fact {
  readonly command: string
  readonly aliases?: readonly string[]
  readonly flags: readonly { readonly name: string; readonly short?: string; readonly type: string; readonly default?: string }[]
}

const facts: readonly Fact[] = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []

function find(words: readonly string[]): Node | undefined {
  let level = tree
  let found: Node | undefined
  for (const word of words) {
    found = childNamed(level, word)?.node
    if (!found) return undefined
    level = isBranch(found) ? found.children : {}
  }
  return found
}

/** Lists are written in brackets. */
const plain = (text: string): string => text.replace(/(\d+m)0s$/, '$1').replace(/^\["(.*)"\]$/, '$1')

function faultsOf(fact: Fact, command: Command): string[] {
  return fact.flags
    .filter(({ name }) => name !== 'help' && !ABSENT_FLAGS[fact.command]?.[name])
    .flatMap((flag) => {
      const own = command.flags.find(({ name }) => name === flag.name)
      if (!own) return [`--${flag.name} is not there`]
      return [
        ...(flag.short && own.short !== flag.short ? [`--${flag.name} has not the short form -${flag.short}`] : []),
        ...((flag.type === 'bool') !== (own.value === undefined) ? [`--${flag.name} takes ${own.value ? 'a' : 'no'} value`] : []),
        ...defaultFaults(fact, flag, own),
      ]
    })
}

function defaultFaults(fact: Fact, flag: Fact['flags'][number], own: Flag): string[] {
  if (flag.default === undefined || OTHER_DEFAULTS[fact.command]?.[flag.name]) return []
  const wanted = plain(flag.default)
  const is = own.default === undefined ? '' : plain(String(own.default))
  return wanted === is ? [] : [`--${flag.name} has the default "${is}", not "${wanted}"`]
}

test.skipIf(facts.length === 0).each(facts.filter(({ command }) => command !== '').map((fact) => [fact.command, fact] as const))(
  '%s',
  async (name, fact) => {
    const words = name.split(' ')
    const node = find(words)
    if (ABSENT_COMMANDS[name]) {
      expect(node, `"${name}" is there: take it off the list of absent commands`).toBeUndefined()
      return
    }
    expect(node, `the command "${name}" is not there`).toBeDefined()
    for (const alias of fact.aliases ?? []) expect(find([...words.slice(0, -1), alias]), `its other name ${alias}`).toBe(node)
    const load = node?.load
    if (load) expect(faultsOf(fact, await load())).toEqual([])
  },
)

test.skipIf(facts.length === 0)('what is listed as absent is a command of istioctl', () => {
  const known = new Set(facts.map(({ command }) => command))
  expect(
    [...Object.keys(ABSENT_COMMANDS), ...Object.keys(ABSENT_FLAGS), ...Object.keys(OTHER_DEFAULTS)].filter((name) => !known.has(name)),
  ).toEqual([])
})
