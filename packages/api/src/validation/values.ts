/** Checks of single values: durations, shares, regular expressions, labels. */
import { parseDuration } from '@lateen/base'
import { RE2JS } from 're2js'
import type { At } from '../diagnostics/at.ts'

/** A duration that is set is at least 1ms and whole milliseconds. */
export function checkDuration(value: string | undefined, at: At): void {
  if (value === undefined) return
  const milliseconds = parseDuration(value)
  if (milliseconds === undefined) return
  if (milliseconds < 1) at.say('BadDuration', { value })
  else if (!isWhole(milliseconds)) at.say('DurationPrecision', { value })
}

/** Whether a number of milliseconds is whole, but for what binary fractions add. */
export function isWhole(milliseconds: number): boolean {
  return Math.abs(milliseconds - Math.round(milliseconds)) < 5e-7
}

export function checkPercent(value: number | undefined, at: At): void {
  if (value !== undefined && !(value >= 0 && value <= 100)) at.say('PercentRange', { value })
}

export function checkNotNegative(value: number | undefined, at: At): void {
  if (value !== undefined && value < 0) at.say('NegativeNumber', { value })
}

/** Most characters of a regular expression: a bound on the size of the compiled program. */
const LONGEST_REGEX = 1024

/** What RE2 finds wrong with an expression; never evaluated by JavaScript's own engine, which can hang. */
export function regexProblem(regex: string): string | undefined {
  try {
    RE2JS.compile(regex)
    return undefined
  } catch (problem) {
    return problem instanceof Error ? problem.message.replace(/^error parsing regexp: /, '') : 'it cannot be read'
  }
}

export function checkRegex(regex: string, at: At): void {
  if (regex === '') return at.say('EmptyRegex')
  if (regex.length > LONGEST_REGEX) return at.say('RegexTooLong', { length: regex.length })
  const problem = regexProblem(regex)
  if (problem !== undefined) at.say('BadRegex', { problem })
}

const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const PREFIX = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$/

/** Kubernetes labels: `prefix/name: value`. */
export function checkLabels(labels: Readonly<Record<string, string>> | undefined, at: At): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isLabelKey(key)) at.say('BadLabelKey', { key })
    if (value !== '' && !NAME.test(value)) at.say('BadLabelValue', { value })
  }
}

function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/')
  const name = key.slice(slash + 1)
  if (name.length > 63 || !NAME.test(name)) return false
  return slash < 0 || (slash <= 253 && PREFIX.test(key.slice(0, slash)))
}
