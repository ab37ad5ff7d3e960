/** A user's own bootstrap: laid over the built-in one (ISTIO_BOOTSTRAP_OVERRIDE) or in its place (`--templateFile`). */
import { readFile } from 'node:fs/promises'
import { isObject, SettingError } from '../settings/environment.ts'
import type { Json } from './bootstrap.ts'

/**
 * Lays one object over another as protobuf merging does: objects merge, lists are joined, everything else is replaced.
 */
export function mergeBootstrap(base: { readonly [key: string]: Json }, over: { readonly [key: string]: Json }): { [key: string]: Json } {
  const merged: { [key: string]: Json } = { ...base }
  for (const [key, value] of Object.entries(over)) merged[key] = mergeValue(merged[key], value)
  return merged
}

function mergeValue(base: Json | undefined, over: Json): Json {
  if (Array.isArray(base) && Array.isArray(over)) return [...base, ...over]
  if (isJsonObject(base) && isJsonObject(over)) return mergeBootstrap(base, over)
  return over
}

const isJsonObject = (value: Json | undefined): value is { readonly [key: string]: Json } => isObject(value)

/**
 * Reads such a file, JSON or YAML.
 *
 * @throws SettingError naming the file
 */
export async function readBootstrapFile(file: string): Promise<{ [key: string]: Json }> {
  let value: unknown
  try {
    const text = await readFile(file, 'utf8')
    value = text.trimStart().startsWith('{') ? JSON.parse(text) : (await import('yaml')).parse(text)
  } catch (cause) {
    throw new SettingError(`the bootstrap file ${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  if (isObject(value)) return JSON.parse(JSON.stringify(value))
  throw new SettingError(`the bootstrap file ${file} does not hold an object`)
}
