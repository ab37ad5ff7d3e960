/** Where the host's programs are. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * The path of a program that may be executed: in a folder of `PATH`, else in one of `beside`.
 *
 * @returns `undefined` when it is in none
 */
export function findProgram(name: string, env: NodeJS.ProcessEnv, beside: readonly string[] = []): string | undefined {
  return [...(env['PATH'] ?? '').split(delimiter), ...beside].map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
