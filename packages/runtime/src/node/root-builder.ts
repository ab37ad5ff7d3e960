/**
 * Builds one container's root directory: makes the skeleton in the scratch tmpfs and writes the shell script that mounts the rest from
 * inside the container's new mount namespace, changes to the root and becomes the container's user.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { followLinks, isOwn, isWithin, type RootEntry } from './host-root.ts'
import { line } from './shell-text.ts'

export interface Mount {
  /** An existing file or directory as the node sees it. */
  readonly source: string
  /** Absolute path inside the container. */
  readonly target: string
  readonly directory: boolean
  readonly readOnly: boolean
}

export interface RootRequest {
  /** Scratch directory of this container; emptied first. */
  readonly layer: string
  readonly plan: readonly RootEntry[]
  readonly mounts: readonly Mount[]
  /** The prepared `/dev` of the node, and this pod's shared memory. */
  readonly dev: string
  readonly shm: string
  readonly rootless: boolean
  readonly readOnlyRoot: boolean
  readonly workingDirectory: string
}

/** Makes the skeleton and returns the script's lines up to where the container's own command is to be executed. */
export function buildRoot(request: RootRequest): string[] {
  const { layer } = request
  rmSync(layer, { recursive: true, force: true })
  const root = join(layer, 'root')
  mkdirSync(root, { recursive: true })
  chmodSync(root, 0o755)
  makeOwnDirectories(root)
  const script = ['set -e', line('mount', '--bind', root, root)]
  const uppers = mountPlan(request, root, script)
  script.push(
    line('mount', '-t', 'proc', 'proc', join(root, 'proc')),
    `${line('mount', '-t', 'sysfs', '-o', 'ro', 'sysfs', join(root, 'sys'))} 2>/dev/null || ${line('mount', '--rbind', '/sys', join(root, 'sys'))}`,
    line('mount', '--rbind', request.dev, join(root, 'dev')),
    line('mount', '--bind', request.shm, join(root, 'dev/shm')),
  )
  for (const mount of ordered(request.mounts)) script.push(...mountLines(mount, root, uppers))
  if (request.readOnlyRoot) script.push(line('mount', '-o', 'remount,bind,ro', root))
  script.push(
    line('cd', root),
    'pivot_root . .',
    'umount -l .',
    // A working directory of the image that this host lacks is made, as a container engine does.
    `cd / && mkdir -p ${line(request.workingDirectory)} 2>/dev/null; ${line('cd', request.workingDirectory)}`,
  )
  return script
}

function makeOwnDirectories(root: string): void {
  for (const path of ['proc', 'sys', 'dev', 'run/lock', 'var/lib', 'var/log', 'var/cache', 'var/spool'])
    mkdirSync(join(root, path), { recursive: true, mode: 0o755 })
  for (const path of ['tmp', 'var/tmp']) {
    mkdirSync(join(root, path), { recursive: true })
    chmodSync(join(root, path), 0o1777)
  }
  symlinkSync('/run', join(root, 'var/run'))
  symlinkSync('/run/lock', join(root, 'var/lock'))
}

/** Upper directory of each overlay, by the path that it covers. */
type Uppers = ReadonlyMap<string, string>

function mountPlan(request: RootRequest, root: string, script: string[]): Uppers {
  const uppers = new Map<string, string>()
  for (const [index, entry] of request.plan.entries()) {
    const target = join(root, entry.path)
    switch (entry.kind) {
      case 'link':
        symlinkSync(entry.target, target)
        break
      case 'directory':
        mkdirSync(target, { recursive: true, mode: entry.mode })
        break
      case 'bind':
        if (entry.directory) mkdirSync(target, { recursive: true })
        else writeFileSync(target, '')
        script.push(`${line('mount', entry.directory ? '--rbind' : '--bind', entry.path, target)} || true`)
        break
      case 'overlay': {
        const upper = join(request.layer, `u${index}`)
        const work = join(request.layer, `w${index}`)
        for (const directory of [target, upper, work]) mkdirSync(directory, { recursive: true })
        chmodSync(upper, entry.mode)
        uppers.set(entry.path, upper)
        const options = [`lowerdir=${entry.path}`, `upperdir=${upper}`, `workdir=${work}`]
        if (request.rootless) options.push('userxattr')
        if (request.readOnlyRoot) options.push('ro')
        script.push(line('mount', '-t', 'overlay', 'overlay', '-o', options.join(','), target))
        break
      }
    }
  }
  return uppers
}

/** Outer mounts first, so that an inner one is not hidden. */
function ordered(mounts: readonly Mount[]): Mount[] {
  return mounts.toSorted((a, b) => a.target.split('/').length - b.target.split('/').length)
}

function mountLines(mount: Mount, root: string, uppers: Uppers): string[] {
  const path = followLinks(mount.target)
  makeMountPoint(path, mount.directory, root, uppers)
  const target = join(root, path)
  const lines: string[] = []
  // Inside another volume only the script can make it, once that volume is mounted.
  if (mount.directory) lines.push(`[ -d ${line(target)} ] || mkdir -p ${line(target)}`)
  else lines.push(`[ -e ${line(target)} ] || { mkdir -p ${line(dirname(target))}; : > ${line(target)}; }`)
  lines.push(line('mount', mount.directory ? '--rbind' : '--bind', mount.source, target))
  if (mount.readOnly) lines.push(`${line('mount', '-o', 'remount,bind,ro', target)} 2>/dev/null || true`)
  return lines
}

/**
 * Makes the mount point in the upper layer itself: in a user namespace the merged directory would belong to an unknown owner and
 * refuse new entries.
 */
function makeMountPoint(path: string, directory: boolean, root: string, uppers: Uppers): void {
  const covering = [...uppers.keys()].find((covered) => isWithin(path, covered))
  const base = covering === undefined ? (isOwn(path) ? root : undefined) : uppers.get(covering)
  // A new directory at the top of the tree lies in the tmpfs itself.
  const point = covering === undefined ? join(base ?? root, path) : join(base ?? root, path.slice(covering.length))
  if (existsSync(point)) return
  if (directory) mkdirSync(point, { recursive: true, mode: 0o755 })
  else {
    mkdirSync(dirname(point), { recursive: true, mode: 0o755 })
    writeFileSync(point, '')
  }
}
