/** Reading environment variables of the kinds that Istio's agent has. */
import { parseDuration } from '@lateen/base'

export type Environment = Readonly<Record<string, string | undefined>>

/** A setting has a value that cannot be used. */
export class SettingError extends Error {}

/** Go's idea of a boolean text. */
export function booleanOf(env: Environment, name: string, fallback: boolean): boolean {
  const text = env[name]
  if (text === undefined || text === '') return fallback
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false
  throw new SettingError(`${name}="${text}" is neither true nor false`)
}

/** A number within bounds. */
export function numberOf(env: Environment, name: string, fallback: number, bounds: { readonly min: number; readonly max: number }): number {
  const text = env[name]
  if (text === undefined || text === '') return fallback
  const value = Number(text)
  if (!Number.isFinite(value) || value < bounds.min || value > bounds.max) {
    throw new SettingError(`${name}="${text}" is not a number from ${bounds.min} to ${bounds.max}`)
  }
  return value
}

/** Milliseconds of a Go duration. */
export function durationOf(env: Environment, name: string, fallbackMs: number): number {
  const text = env[name]
  return text === undefined || text === '' ? fallbackMs : durationText(text, name)
}

/**
 * Milliseconds of a Go duration text that is a setting.
 *
 * @throws SettingError
 */
export function durationText(text: string, name: string): number {
  const value = parseDuration(text)
  if (value === undefined || value < 0) throw new SettingError(`${name}="${text}" is not a duration; write it like 5s or 1h30m`)
  return value
}

/**
 * One of the values, or nothing where the variable is not set.
 *
 * @throws SettingError
 */
export function choiceOf<T extends string>(env: Environment, name: string, values: readonly T[]): T | undefined {
  const text = env[name]
  const found = values.find((value) => value === text)
  if (text && found === undefined) throw new SettingError(`${name}="${text}" is not known; use one of ${values.join(', ')}`)
  return found
}

/** The text, or nothing where it is empty. */
export function textOf(env: Environment, name: string): string | undefined {
  return env[name] || undefined
}

/** A JSON object from a text; `undefined` when it is anything else. */
export function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
