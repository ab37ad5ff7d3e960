/** What `iptables-save` says about rules of ours: whether they are all there, whether others are, and how to remove them. */
import { chainsOf } from './restore.ts'
import type { Rule } from './rules.ts'

export interface CaptureState {
  /** Chains of ours exist, from whatever configuration. */
  readonly residue: boolean
  /** Chains of ours that have another number of rules than they should, or should not exist. */
  readonly differs: boolean
}

/** Compares a listing with the wanted rules, by chains and counts; whether each rule is there is asked with `-C`, rule by rule. */
export function captureState(listing: string, wanted: readonly Rule[]): CaptureState {
  const found = new Map<string, number>()
  for (const { table, line } of linesOf(listing)) {
    const chain = /^:(ISTIO_\S+)/.exec(line)?.[1]
    const rule = /^-A (ISTIO_\S+)/.exec(line)?.[1]
    if (chain !== undefined) found.set(`${table} ${chain}`, found.get(`${table} ${chain}`) ?? 0)
    if (rule !== undefined) found.set(`${table} ${rule}`, (found.get(`${table} ${rule}`) ?? 0) + 1)
  }
  const expected = new Map<string, number>()
  for (const rule of wanted)
    if (chainsOf([rule]).length > 0) expected.set(`${rule.table} ${rule.chain}`, (expected.get(`${rule.table} ${rule.chain}`) ?? 0) + 1)
  const names = new Set([...found.keys(), ...expected.keys()])
  return { residue: found.size > 0, differs: [...names].some((name) => found.get(name) !== expected.get(name)) }
}

/** Calls that remove every chain of ours in a listing and every jump to one, whatever configuration made them. */
export function residueCleanup(listing: string): string[][] {
  const lines = linesOf(listing)
  const jumps = lines.filter(({ line }) => /^-A (?!ISTIO_)\S+ .*-j ISTIO_\S+/.test(line))
  const chains = lines.flatMap(({ table, line }) => {
    const chain = /^:(ISTIO_\S+)/.exec(line)?.[1]
    return chain === undefined ? [] : [{ table, chain }]
  })
  return [
    ...jumps.map(({ table, line }) => ['-t', table, '-D', ...words(line).slice(1)]),
    ...chains.map(({ table, chain }) => ['-t', table, '-F', chain]),
    ...chains.map(({ table, chain }) => ['-t', table, '-X', chain]),
  ]
}

/** Calls that let nothing through while rules are replaced, so that no packet slips past the proxy; and those that end it. */
export function guardrails(): { readonly raise: string[][]; readonly lower: string[][] } {
  const rules = ['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => ['tcp', 'udp'].map((protocol) => [chain, '-p', protocol, '-j', 'DROP']))
  return {
    raise: rules.map((rule) => ['-t', 'filter', '-A', ...rule]),
    lower: rules.map((rule) => ['-t', 'filter', '-D', ...rule]),
  }
}

function linesOf(listing: string): { readonly table: string; readonly line: string }[] {
  let table = ''
  return listing.split('\n').flatMap((line) => {
    if (line.startsWith('*')) table = line.slice(1).trim()
    return line.startsWith(':') || line.startsWith('-A ') ? [{ table, line }] : []
  })
}

/** Arguments of a listed rule; names with spaces are quoted there. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
}
