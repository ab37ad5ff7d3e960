/**
 * Flags as pflag (the library of kubectl and istioctl) reads them, where commander differs: a switch takes its value only
 * after `=`, and flags that every command has may stand before the command's name.
 */
import { InvalidArgumentError } from 'commander'
import type { Flag } from './command.ts'

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

export interface SplitSwitches {
  /** The arguments without switches that had a value. */
  readonly argv: readonly string[]
  /** Switches with a value, by the flag's name; the last one wins. */
  readonly switches: ReadonlyMap<string, boolean>
  /** What is wrong with them, for the user. */
  readonly faults: readonly string[]
}

/** Takes `--name=true` and `-n=false` of switches out of `argv`; everything after `--` stays. */
export function splitSwitches(argv: readonly string[], flags: readonly Flag[]): SplitSwitches {
  const byToken = new Map(flags.filter(isSwitch).flatMap((flag) => tokensOf(flag).map((token) => [token, flag.name] as const)))
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  const switches = new Map<string, boolean>()
  const faults: string[] = []
  const rest = argv.slice(0, end).filter((word) => {
    const equals = word.indexOf('=')
    const name = equals > 0 ? byToken.get(word.slice(0, equals)) : undefined
    if (name === undefined) {
      // The plain form comes after an earlier `=false` and overrules it.
      const plain = byToken.get(word)
      if (plain !== undefined) switches.delete(plain)
      return true
    }
    const value = word.slice(equals + 1)
    if (TRUE.has(value)) switches.set(name, true)
    else if (FALSE.has(value)) switches.set(name, false)
    else faults.push(`--${name}=${value}: true or false is wanted`)
    return false
  })
  return { argv: [...rest, ...argv.slice(end)], switches, faults }
}

export function isSwitch(flag: Flag): boolean {
  return flag.value === undefined
}

/** The positions of words in `argv` that are neither flags nor values of flags that `flags` declares. */
export function plainWords(argv: readonly string[], flags: readonly Flag[]): number[] {
  const withValue = new Set(flags.filter((flag) => !isSwitch(flag)).flatMap(tokensOf))
  const positions: number[] = []
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ''
    if (word === '--') break
    if (withValue.has(word)) index++
    else if (!word.startsWith('-') || word === '-') positions.push(index)
  }
  return positions
}

function tokensOf({ name, short }: Flag): string[] {
  return [`--${name}`, ...(short ? [`-${short}`] : [])]
}

export function parseInteger(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number is wanted.')
  return Number(text)
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A duration as Go writes it (`30s`, `1m30s`), in milliseconds. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/gy)]
  if (text.length > 40 || parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new InvalidArgumentError('A duration such as 30s or 1m30s is wanted.')
  }
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0)
}

const collected = (previous: unknown): string[] => (Array.isArray(previous) ? previous.map(String) : [])

/** Repeatable. */
export function collect(text: string, previous: unknown): string[] {
  return [...collected(previous), text]
}

/** Repeatable, and each one a list with commas. */
export function collectCommas(text: string, previous: unknown): string[] {
  return [...collected(previous), ...text.split(',').filter((part) => part !== '')]
}
