/** What may stand for the value of a flag, or for an argument: words that are known, and names that the cluster is asked for. */
import type { Argument, Flag } from '../../shell/command.ts'
import type { Candidate, Surroundings } from './candidates.ts'

export interface Asked {
  /** What is written of it so far. */
  readonly current: string
  /** All words of the line. */
  readonly words: readonly string[]
  /** Arguments before this one. */
  readonly args: readonly string[]
  readonly around: Surroundings
}

/** Loaded only when a name is wanted. */
const names = () => import('./live-names.ts')

const plain = (words: readonly string[]): Candidate[] => words.map((name) => ({ name, meaning: '' }))

export async function valuesOf(flag: Flag, { current, words, around }: Asked): Promise<Candidate[]> {
  const { name, value = '', choices, suggestions } = flag
  if (choices) return plain(choices)
  if (suggestions) return value === 'LEVELS' ? levels(current, suggestions) : plain(suggestions)
  if (value === 'NAMESPACE') return (await names()).namespaceNames(words, around)
  if (value === 'CONTEXT' || name === 'context') return (await names()).contextNames(words, around)
  if (name === 'revision') return (await names()).revisionNames(words, around)
  if (name === 'xds-label') return prefixed(await (await names()).revisionNames(words, around), 'istio.io/rev=')
  if (value === 'NODE') return (await names()).nodeNames(words, around)
  if (value === 'POD' || value === 'POD.NAMESPACE') return (await names()).podNames(current, words, around)
  if (name === 'service-account') return (await names()).accountNames(words, around)
  return []
}

const prefixed = (candidates: readonly Candidate[], prefix: string): Candidate[] =>
  candidates.map(({ name, meaning }) => ({ name: `${prefix}${name}`, meaning }))

/** `LEVEL`, or a list of `SCOPE:LEVEL`: the level that is being written. */
function levels(current: string, known: readonly string[]): Candidate[] {
  const from = Math.max(current.lastIndexOf(','), current.lastIndexOf(':')) + 1
  const isScope = from > 0 && current[from - 1] === ','
  return isScope ? [] : prefixed(plain(known), current.slice(0, from))
}

const POD_ARGUMENTS = new Set(['pod', 'pods', 'workload'])

export async function argumentValues({ name, suggestions }: Argument, { current, words, args, around }: Asked): Promise<Candidate[]> {
  if (suggestions) return plain(suggestions)
  if (POD_ARGUMENTS.has(name)) return (await names()).podNames(current, words, around)
  switch (name) {
    case 'service':
      return (await names()).serviceNames(words, around)
    case 'namespace':
      return (await names()).namespaceNames(words, around)
    case 'revision-tag':
      return (await names()).tagNames(words, around)
    case 'waypoint':
      return (await names()).waypointNames(words, around)
    case 'ztunnel':
      return (await names()).ztunnelNames(words, around)
    case 'type':
      return (await names()).kindOrObjectNames(current, words, around)
    case 'profile':
    case 'other':
      return (await import('@lateen/install')).profiles().map((profile) => ({ name: profile.name, meaning: profile.summary }))
    case 'page':
      return (await names()).pageNames(words, around)
    case 'name':
      return (await names()).objectNames(args[0] ?? '', words, around)
    default:
      return []
  }
}
