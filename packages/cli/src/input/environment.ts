/** Variables of the environment that mean settings of the control plane. */
import { parseDuration } from '@lateen/base'
import type { SwitchReader } from '@lateen/model'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

/** Reads variables as the control plane does; CommandError names the one whose value cannot be read. */
export function switchReader(env: Readonly<Record<string, string | undefined>>): SwitchReader {
  const read = <T>(name: string, fallback: T, parse: (text: string) => T | undefined, wanted: string): T => {
    const text = env[name]
    if (!text) return fallback
    const value = parse(text)
    if (value === undefined) throw new CommandError(`${name}: "${text}" is not ${wanted}`, { exitCode: EXIT.usage })
    return value
  }
  return {
    boolean: (name, fallback) => read(name, fallback, (text) => TRUTH.get(text.toLowerCase()), 'true or false'),
    number: (name, fallback) => read(name, fallback, (text) => (Number.isFinite(Number(text)) ? Number(text) : undefined), 'a number'),
    duration: (name, fallback) => read(name, fallback, parseDuration, 'a duration such as 10s or 1h30m'),
    choice: <T extends string>(name: string, values: readonly T[]) =>
      read<T | undefined>(name, undefined, (text) => values.find((value) => value === text), `one of ${values.join(', ')}`),
  }
}

const TRUTH: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', '1'].map((text) => [text, true] as const),
  ...['false', 'f', '0'].map((text) => [text, false] as const),
])
