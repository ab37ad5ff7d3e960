/**
 * A directory whose files change all at once, as the kubelet makes them: the files are in a dated directory, `..data` points to it,
 * and every visible name is a link through `..data`. Programs that watch such volumes rely on it.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export interface VolumeFile {
  readonly content: Buffer
  readonly mode: number
}

const DATA = '..data'

/** Writes the files, unless they are there already just so; `group` owns them when given. */
export function writeAtomically(directory: string, files: ReadonlyMap<string, VolumeFile>, group: number | undefined): void {
  mkdirSync(directory, { recursive: true })
  if (isSame(directory, files)) return
  const dated = `..${new Date().toISOString().replaceAll(/[^0-9]/g, '_')}${Math.floor(Math.random() * 1e6)}`
  const base = join(directory, dated)
  mkdirSync(base, { mode: 0o755 })
  chmodSync(base, 0o755)
  for (const [path, file] of files) {
    const target = join(base, path)
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 })
    writeFileSync(target, file.content)
    chmodSync(target, group === undefined ? file.mode : file.mode | ((file.mode & 0o400) >> 3))
    if (group !== undefined) chownSync(target, 0, group)
  }
  const old = linkOf(join(directory, DATA))
  rmSync(join(directory, '..data_tmp'), { force: true })
  symlinkSync(dated, join(directory, '..data_tmp'))
  renameSync(join(directory, '..data_tmp'), join(directory, DATA))
  linkVisible(directory, files)
  if (old !== undefined) rmSync(join(directory, old), { recursive: true, force: true })
}

function linkVisible(directory: string, files: ReadonlyMap<string, VolumeFile>): void {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path))
  for (const name of readdirSync(directory))
    if (!name.startsWith('..') && !wanted.has(name)) rmSync(join(directory, name), { recursive: true, force: true })
  for (const name of wanted) if (linkOf(join(directory, name)) === undefined) symlinkSync(join(DATA, name), join(directory, name))
}

function isSame(directory: string, files: ReadonlyMap<string, VolumeFile>): boolean {
  const data = join(directory, DATA)
  if (!existsSync(data)) return false
  if (listFiles(data).length !== files.size) return false
  for (const [path, file] of files) {
    try {
      if (!readFileSync(join(data, path)).equals(file.content)) return false
    } catch {
      return false
    }
  }
  return true
}

function listFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function linkOf(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined
  } catch {
    return undefined
  }
}
