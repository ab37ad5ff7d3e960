/** The folder of one mesh: what lies where under `$LATEEN_HOME`. */
import { mkdirSync, readFileSync, renameSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CommandError } from '../shell/exit-codes.ts'

export interface Home {
  readonly root: string
  readonly kubeconfig: string
  /** The API server's store. */
  readonly data: string
  /** Pods' folders, logs and records. */
  readonly node: string
  readonly logs: string
  /** What the user chose once and keeps: ports. */
  readonly settings: string
  /** The user's own image catalogue; need not exist. */
  readonly images: string
  /** What the supervisor says about itself and its children. */
  readonly state: string
}

export function homeAt(root: string): Home {
  return {
    root,
    kubeconfig: join(root, 'kubeconfig'),
    data: join(root, 'data'),
    node: join(root, 'node'),
    logs: join(root, 'logs'),
    settings: join(root, 'settings.json'),
    images: join(root, 'images.yaml'),
    state: join(root, 'run', 'state.json'),
  }
}

/**
 * Makes the folders; the home is the user's alone, since it holds keys and tokens.
 *
 * @throws CommandError when the folder cannot be written, with the remedy
 */
export function makeHome(home: Home): void {
  try {
    for (const folder of [home.root, home.data, home.node, home.logs, dirname(home.state)])
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeJson(join(home.root, 'run', '.probe'), { writable: true })
  } catch (error) {
    throw new CommandError(whyNotWritable(home.root, error), { cause: error })
  }
}

/** The store, logs and pods' files of a small mesh; less would only fail later, and less clearly. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024

/** @throws CommandError when too little space is left for a mesh to start */
export function checkSpace(home: Home): void {
  const { bavail, bsize } = statfsSync(home.root)
  const free = bavail * bsize
  if (free >= LEAST_FREE_BYTES) return
  const [has, needs] = [free, LEAST_FREE_BYTES].map((bytes) => Math.floor(bytes / 1024 / 1024))
  throw new CommandError(
    `${home.root}: the disk is full: ${has} MB are free, a mesh needs ${needs} MB to start. Free some space there, or name another folder with --home DIR`,
  )
}

/** One sentence for the errors that writing under the home can meet. */
export function whyNotWritable(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `${path}: the disk is full. Free some space there, or name another folder with --home DIR`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${path}: no permission to write here. Name another folder with --home DIR or LATEEN_HOME=DIR`
    case 'ENOTDIR':
    case 'EEXIST':
      return `${path}: a file is in the way. Remove it, or name another folder with --home DIR`
    default:
      return `${path}: cannot be written (${error instanceof Error ? error.message : String(error)}). Name another folder with --home DIR`
  }
}

/** Whole or not at all: a reader never sees half a file. */
export function writeText(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`
  writeFileSync(temporary, text, { mode: 0o600 })
  renameSync(temporary, path)
}

export function writeJson(path: string, value: unknown): void {
  writeText(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** The parsed file; `undefined` when it is missing or is not JSON. */
/** What was chosen for this mesh and holds for its next start. */
export function readSettings(home: Home): Readonly<Record<string, unknown>> {
  const value = readJson(home.settings)
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

export function writeSettings(home: Home, chosen: Readonly<Record<string, unknown>>): void {
  writeJson(home.settings, { ...readSettings(home), ...chosen })
}

export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
