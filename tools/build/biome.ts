/** The formatter and linter: its binary for this machine, without the package that lists those of all systems. */
import { join } from 'node:path'

export function biomePath(): string {
  return join(import.meta.dirname, `../../node_modules/@biomejs/cli-linux-${process.arch}/biome`)
}
