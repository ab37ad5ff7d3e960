/** Files, folders and standard input that a command names → their texts, bounded. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

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
const LARGEST_BYTES = 64 * 1024 * 1024
const MOST_FILES = 10_000
const DEEPEST = 40

export interface InputOptions {
  /** Whether folders within folders are read. */
  readonly recursive: boolean
}

/** @throws CommandError when something that was named cannot be read */
export function readInputFiles(names: readonly string[], { recursive }: InputOptions): InputFiles {
  const skipped: string[] = []
  const paths = names.flatMap((name) => (name === '-' ? [name] : pathsOf(name, { recursive, depth: 0, skipped })))
  if (paths.length > MOST_FILES) {
    throw new CommandError(`${paths.length} files; at most ${MOST_FILES} are read. Name fewer folders`, { exitCode: EXIT.data })
  }
  return { files: paths.map((name) => ({ name, text: readText(name) })), skipped }
}

interface Walk {
  readonly recursive: boolean
  readonly depth: number
  readonly skipped: string[]
}

function pathsOf(path: string, walk: Walk): string[] {
  const stat = attempt(path, () => statSync(path))
  if (!stat.isDirectory()) {
    if (EXTENSIONS.includes(extname(path))) return [path]
    walk.skipped.push(path)
    return []
  }
  if (walk.depth > DEEPEST || (walk.depth > 0 && !walk.recursive)) return []
  const entries = attempt(path, () => readdirSync(path)).sort()
  return entries.flatMap((entry) => pathsOf(join(path, entry), { ...walk, depth: walk.depth + 1 }))
}

function readText(name: string): string {
  if (name === '-') return attempt('standard input', () => readFileSync(0, 'utf8'))
  const { size } = attempt(name, () => statSync(name))
  if (size > LARGEST_BYTES) throw new CommandError(`${name} is larger than ${LARGEST_BYTES / 1024 / 1024} MiB`, { exitCode: EXIT.data })
  return attempt(name, () => readFileSync(name, 'utf8'))
}

function attempt<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const reason = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no such file' : String(error)
    throw new CommandError(`cannot read ${name}: ${reason}`, { exitCode: EXIT.failure, cause: error })
  }
}
