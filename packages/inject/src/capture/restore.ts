/** Renders capture rules as `iptables-restore` input, as single commands, and the commands that take them away again. */
import type { Rule, Table } from './rules.ts'

/** Alphabetical, as the restore input lists them. */
const TABLES: readonly Table[] = ['mangle', 'nat', 'raw']
const BUILT_IN = new Set(['INPUT', 'OUTPUT', 'FORWARD', 'PREROUTING', 'POSTROUTING'])

/** Input for `iptables-restore --noflush`; empty when there are no rules. */
export function restoreInput(rules: readonly Rule[]): string {
  const blocks = TABLES.flatMap((table) => {
    const own = rules.filter((rule) => rule.table === table)
    if (own.length === 0) return []
    return [`* ${table}`, ...chainsOf(own).map((chain) => `-N ${chain}`), ...own.map((rule) => ruleArgs(rule).join(' ')), 'COMMIT']
  })
  return blocks.length > 0 ? `${blocks.join('\n')}\n` : ''
}

/** The same as single `iptables` calls (arguments only): chains first, then rules. */
export function singleCommands(rules: readonly Rule[]): string[][] {
  return TABLES.flatMap((table) => {
    const own = rules.filter((rule) => rule.table === table)
    return [...chainsOf(own).map((chain) => ['-t', table, '-N', chain]), ...own.map((rule) => ['-t', table, ...ruleArgs(rule)])]
  })
}

/** Calls that succeed only where the rule exists (`-C`), one a rule. */
export function checkCommands(rules: readonly Rule[]): string[][] {
  return rules.map((rule) => ['-t', rule.table, '-C', rule.chain, ...rule.args])
}

/** Calls that remove exactly these rules and chains: jumps first, so that the chains are free to go. Each may fail. */
export function cleanupCommands(rules: readonly Rule[]): string[][] {
  const jumps = rules.filter((rule) => BUILT_IN.has(rule.chain)).map((rule) => ['-t', rule.table, '-D', rule.chain, ...rule.args])
  const chains = TABLES.flatMap((table) => chainsOf(rules.filter((rule) => rule.table === table)).map((chain) => ({ table, chain })))
  return [
    ...jumps.toReversed(),
    ...chains.map(({ table, chain }) => ['-t', table, '-F', chain]),
    ...chains.map(({ table, chain }) => ['-t', table, '-X', chain]),
  ]
}

/** The chains of ours that rules fill, in order of first use. */
export function chainsOf(rules: readonly Rule[]): string[] {
  return [...new Set(rules.map((rule) => rule.chain).filter((chain) => !BUILT_IN.has(chain)))]
}

function ruleArgs(rule: Rule): string[] {
  return rule.position === undefined ? ['-A', rule.chain, ...rule.args] : ['-I', rule.chain, String(rule.position), ...rule.args]
}
