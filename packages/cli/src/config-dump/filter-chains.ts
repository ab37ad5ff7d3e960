/** The filter chains of listeners by their names, and how each is chosen: by a match of its own, or by the listener's matcher tree. */
import { at, type Fields, fields, list, number, text } from './fields.ts'
import { chainMatchText, chainsOf, destinationOf } from './listeners.ts'

export const CHAIN_HEADINGS = ['LISTENER', 'CHAIN', 'MATCH', 'DESTINATION']

/** Rows below {@link CHAIN_HEADINGS}, one for each way into a chain. */
export function chainRows(listener: Fields): string[][] {
  const chains = chainsOf(listener)
  const name = `envoy://${text(listener['name'])}`
  // An internal listener with one chain of its own name would be named twice.
  const isAlone = at(listener, 'internal_listener') !== undefined && chains.length === 1 && text(at(chains[0], 'name')) === name
  return chains.flatMap((chain) =>
    waysInto(listener, chain).map((way) => [isAlone ? 'internal' : name, text(at(chain, 'name')), way, destinationOf(chain)]),
  )
}

function waysInto(listener: Fields, chain: unknown): readonly string[] {
  const matcher = at(listener, 'filter_chain_matcher')
  if (matcher === undefined) return [chainMatchText(at(chain, 'filter_chain_match'))]
  const name = text(at(chain, 'name'))
  const otherwise = at(matcher, 'on_no_match')
  if (text(at(otherwise, 'action', 'name')) === name) return ['UNMATCHED']
  const ways = waysTo(name, at(otherwise, 'matcher') ?? matcher, 0)
  return ways.length > 0 ? ways : ['NONE']
}

const DEEPEST = 20

/** `destination port=80 -> source ip=10.1.0.0/16`: the ways through a matcher to the chain of that name. */
function waysTo(name: string, matcher: unknown, depth: number): readonly string[] {
  if (depth > DEEPEST) return []
  const otherwise = at(matcher, 'on_no_match')
  if (text(at(otherwise, 'action', 'name')) === name) return ['ANY']
  const inner = at(otherwise, 'matcher')
  if (inner !== undefined) {
    const ways = waysTo(name, inner, depth + 1)
    return ways.length > 0 ? ways : ['NONE']
  }
  const input = text(at(matcher, 'matcher_tree', 'input', 'name'))
  return branchesOf(at(matcher, 'matcher_tree')).flatMap(([condition, onMatch]) => {
    const step = `${input}${condition}`
    const action = text(at(onMatch, 'action', 'name'))
    if (action !== '') return action === name ? [step] : []
    return waysTo(name, at(onMatch, 'matcher'), depth + 1).map((way) => `${step} -> ${way}`)
  })
}

function branchesOf(tree: unknown): (readonly [string, unknown])[] {
  const exact = Object.entries(fields(at(tree, 'exact_match_map', 'map'))).map(([key, each]) => [`=${key}`, each] as const)
  const prefix = Object.entries(fields(at(tree, 'prefix_match_map', 'map'))).map(([key, each]) => [`^${key}`, each] as const)
  const ranges = list(at(tree, 'custom_match', 'typed_config', 'range_matchers')).flatMap((matcher) =>
    list(at(matcher, 'ranges')).map((range) => [`=${rangeText(range)}`, at(matcher, 'on_match')] as const),
  )
  return [...exact, ...prefix, ...ranges]
}

/** One address has no length behind it. */
function rangeText(range: unknown): string {
  const length = number(at(range, 'prefix_len'))
  const address = text(at(range, 'address_prefix'))
  return length === 32 || length === 128 ? address : `${address}/${length}`
}
