/** Files, folders and standard input that a command names → their texts, bounded. */
import { readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { reading, readText } from './read-text.ts'

export interface InputFile {
  /** As the user named it; `-` for standard input. */
  readonly name: string
  readonly text: string
}

export interface InputFiles {
  readonly files: readonly InputFile[]
  /** Files of folders that are no configuration by their names. */
  readonly skipped: readonly string[]
}

export const EXTENSIONS = ['.json', '.yaml', '.yml']
const MOST_FILES = 10_000
const DEEPEST = 40

export interface InputOptions {
  /** Whether folders within folders are read. */
  readonly recursive: boolean
  /** Whether a file that is named itself is read whatever its extension; files of folders need one of {@link EXTENSIONS}. */
  readonly anyExtension?: boolean
}

/** @throws CommandError when something that was named cannot be read */
export function readInputFiles(names: readonly string[], { recursive, anyExtension = false }: InputOptions): InputFiles {
  const skipped: string[] = []
  const paths = names.flatMap((name) => (name === '-' ? [name] : pathsOf(name, { recursive, anyExtension, depth: 0, skipped })))
  if (paths.length > MOST_FILES) {
    throw new CommandError(`${paths.length} files; at most ${MOST_FILES} are read. Name fewer folders`, { exitCode: EXIT.data })
  }
  return { files: paths.map((name) => ({ name, text: readText(name) })), skipped }
}

interface Walk extends Required<InputOptions> {
  readonly depth: number
  readonly skipped: string[]
}

function pathsOf(path: string, walk: Walk): string[] {
  const stat = reading(path, () => statSync(path))
  if (!stat.isDirectory()) {
    if (EXTENSIONS.includes(extname(path)) || (walk.anyExtension && walk.depth === 0)) return [path]
    walk.skipped.push(path)
    return []
  }
  if (walk.depth > DEEPEST || (walk.depth > 0 && !walk.recursive)) return []
  const entries = reading(path, () => readdirSync(path)).sort()
  return entries.flatMap((entry) => pathsOf(join(path, entry), { ...walk, depth: walk.depth + 1 }))
}
