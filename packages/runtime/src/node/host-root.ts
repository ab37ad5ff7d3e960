/**
 * How a container's root directory is put together from the host's: every directory of the host's root appears under an overlay of
 * the container's own, so that files can be written and mount points be made anywhere without touching the host.
 *
 * `/proc`, `/sys`, `/dev`, `/run`, `/tmp` and `/var` are the container's own. A directory below which other file systems are mounted
 * cannot be the lower layer of an overlay in a user namespace; it is entered, and its children are taken one by one.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'

export type RootEntry =
  | { readonly kind: 'overlay'; readonly path: string; readonly mode: number }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'bind'; readonly path: string; readonly directory: boolean }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

const OWN = new Set(['/proc', '/sys', '/dev', '/run', '/tmp', '/var', '/lost+found', '/boot'])
const DEEPEST = 4
const MOST_ENTRIES = 64

/** The plan for the host as it is now; `hidden` (the state directory) appears empty. */
export function planHostRoot(hidden: string): RootEntry[] {
  const mounts = mountPoints().filter((point) => !isWithin(point, hidden))
  const entries: RootEntry[] = []
  visit('/', 0)
  return entries

  function visit(directory: string, depth: number): void {
    for (const name of namesIn(directory)) {
      const path = join(directory, name)
      const stat = statOf(path)
      if (!stat || OWN.has(path) || entries.length > MOST_ENTRIES * 4) continue
      if (stat.isSymbolicLink()) entries.push({ kind: 'link', path, target: readlinkSync(path) })
      else if (!stat.isDirectory()) {
        if (stat.isFile() && depth > 0) entries.push({ kind: 'bind', path, directory: false })
      } else if (path === hidden) entries.push({ kind: 'directory', path, mode: 0o755 })
      else if (!mounts.some((point) => point !== path && isWithin(point, path))) entries.push(plain(path, stat))
      else if (depth + 1 < DEEPEST && namesIn(path).length <= MOST_ENTRIES) {
        entries.push({ kind: 'directory', path, mode: stat.mode & 0o7777 })
        visit(path, depth + 1)
      } else entries.push({ kind: 'bind', path, directory: true })
    }
  }
}

/** Where the host's path really is once links are followed, since a mount point hides a link instead of following it. */
export function followLinks(path: string): string {
  let rest = path.split('/').filter(Boolean)
  let at = '/'
  for (let steps = 0; rest.length > 0 && steps < 256; steps++) {
    const [head = '', ...tail] = rest
    rest = tail
    if (head === '.') continue
    if (head === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, head)
    const target = linkTarget(next)
    if (target === undefined) at = next
    else {
      if (target.startsWith('/')) at = '/'
      rest = [...target.split('/').filter(Boolean), ...rest]
    }
  }
  return at
}

/** Links of the container's own `/var` come before what the host has. */
function linkTarget(path: string): string | undefined {
  if (path === '/var/run') return '/run'
  if (path === '/var/lock') return '/run/lock'
  if (isOwn(path)) return undefined
  const stat = statOf(path)
  return stat?.isSymbolicLink() ? readlinkSync(path) : undefined
}

/** Whether the path lies where the container has its own directory instead of the host's. */
export function isOwn(path: string): boolean {
  return OWN.has(`/${path.split('/')[1] ?? ''}`)
}

export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

function plain(path: string, stat: Stats): RootEntry {
  // An overlay option string cannot hold these.
  if (/[:,\\"\s]/.test(path)) return { kind: 'bind', path, directory: true }
  return { kind: 'overlay', path, mode: stat.mode & 0o7777 }
}

function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((text) =>
      (text.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((point) => point !== '' && point !== '/')
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return []
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}
