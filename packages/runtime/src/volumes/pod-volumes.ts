/** Makes a pod's volumes on the node and keeps those made of files up to date. */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type Container, podSpec, type Volume, type VolumeMount } from '../kube/pod.ts'
import { parseQuantity } from '../kube/quantity.ts'
import { expand } from '../node/environment.ts'
import type { Mount } from '../node/root-builder.ts'
import { runCommand } from '../node/run-command.ts'
import { writeAtomically } from './atomic-directory.ts'
import { type VolumeContext, volumeFiles } from './volume-files.ts'

/** A volume that cannot be mounted: the pod waits, and an Event says why. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError'
  readonly code = 'VOLUME'
}

export interface PodVolumes {
  /** Where each volume is on the node. */
  readonly sources: ReadonlyMap<string, string>
  /** Milliseconds since the epoch when a token must be renewed. */
  readonly refreshAt?: number
}

const isMountPoint = (directory: string) => statSync(directory).dev !== statSync(dirname(directory)).dev

/**
 * Brings every volume of the pod into being; calling it again writes what has changed.
 *
 * @throws VolumeError, or ConfigMissing, naming the volume
 */
export async function preparePodVolumes(
  directory: string,
  claims: string,
  context: VolumeContext & { readonly manyIds: boolean },
): Promise<PodVolumes> {
  const sources = new Map<string, string>()
  let refreshAt: number | undefined
  const spec = podSpec(context.pod)
  // Where there is one id only, everything belongs to it anyway.
  const group = context.manyIds ? spec.securityContext?.fsGroup : undefined
  for (const volume of spec.volumes ?? []) {
    const path = join(directory, volume.name)
    const made = await volumeFiles(volume, context)
    if (made) {
      writeAtomically(path, made.files, group)
      if (made.refreshAt !== undefined) refreshAt = Math.min(refreshAt ?? made.refreshAt, made.refreshAt)
      sources.set(volume.name, path)
    } else sources.set(volume.name, await plainVolume(volume, path, claims, context.pod.metadata.namespace ?? '', group))
  }
  return refreshAt === undefined ? { sources } : { sources, refreshAt }
}

async function plainVolume(volume: Volume, path: string, claims: string, namespace: string, group: number | undefined): Promise<string> {
  if (volume.emptyDir) {
    mkdirSync(path, { recursive: true })
    if (volume.emptyDir.medium === 'Memory' && !isMountPoint(path)) {
      const limit = volume.emptyDir.sizeLimit === undefined ? undefined : parseQuantity(volume.emptyDir.sizeLimit)
      await runCommand('mount', ['-t', 'tmpfs', '-o', `mode=0777,size=${limit ? Math.ceil(limit) : '256m'}`, 'tmpfs', path])
    }
    share(path, group)
    return path
  }
  if (volume.hostPath) return hostPath(volume.name, volume.hostPath)
  if (volume.persistentVolumeClaim) {
    const claim = join(claims, namespace, volume.persistentVolumeClaim.claimName)
    mkdirSync(claim, { recursive: true })
    share(claim, group)
    return claim
  }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'nothing'
  if (kind === 'nothing') {
    mkdirSync(path, { recursive: true })
    share(path, group)
    return path
  }
  throw new VolumeError(
    `volume "${volume.name}" is of the kind ${kind}, which a local cluster cannot mount; use emptyDir, hostPath, configMap, secret, projected, downwardAPI or persistentVolumeClaim`,
  )
}

function share(path: string, group: number | undefined): void {
  chmodSync(path, group === undefined ? 0o777 : 0o2777)
  if (group !== undefined) chownSync(path, 0, group)
}

function hostPath(name: string, { path, type = '' }: { readonly path: string; readonly type?: string }): string {
  const found = existsSync(path) ? statSync(path) : undefined
  const fail = (what: string) => new VolumeError(`volume "${name}": hostPath type check failed: ${path} ${what}`)
  switch (type) {
    case 'DirectoryOrCreate':
      if (!found) mkdirSync(path, { recursive: true, mode: 0o755 })
      else if (!found.isDirectory()) throw fail('is not a directory')
      return path
    case 'FileOrCreate':
      if (!found) writeFileSync(path, '', { mode: 0o644, flag: 'wx' })
      else if (!found.isFile()) throw fail('is not a file')
      return path
    case 'Directory':
      if (!found?.isDirectory()) throw fail('is not a directory')
      return path
    case 'File':
      if (!found?.isFile()) throw fail('is not a file')
      return path
    case 'Socket':
      if (!found?.isSocket()) throw fail('is not a socket')
      return path
    case 'CharDevice':
      if (!found?.isCharacterDevice()) throw fail('is not a character device')
      return path
    case 'BlockDevice':
      if (!found?.isBlockDevice()) throw fail('is not a block device')
      return path
    default:
      if (!found) mkdirSync(path, { recursive: true, mode: 0o755 })
      return path
  }
}

/**
 * The mounts of one container.
 *
 * @throws VolumeError for a mount whose volume or sub-path cannot be used
 */
export function containerMounts(container: Container, volumes: PodVolumes, env: Readonly<Record<string, string>>): Mount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = volumes.sources.get(mount.name)
    if (volume === undefined)
      throw new VolumeError(`container ${container.name}: volumeMounts names the volume "${mount.name}", which the pod does not have`)
    const source = subPath(volume, mount, env)
    const directory = statSync(source).isDirectory()
    return {
      source,
      target: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      directory,
      readOnly: mount.readOnly ?? false,
    }
  })
}

function subPath(volume: string, mount: VolumeMount, env: Readonly<Record<string, string>>): string {
  const path = mount.subPathExpr === undefined ? (mount.subPath ?? '') : expand(mount.subPathExpr, env)
  if (path === '') return volume
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw new VolumeError(`the subPath ${JSON.stringify(path)} of volume "${mount.name}" must be relative and must not contain ".."`)
  // What a container writes into a volume must not lead its next mount out of it.
  const root = realpathSync(volume)
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reduce((at, part) => {
      const next = join(at, part)
      if (!lstatSync(next, { throwIfNoEntry: false })) {
        mkdirSync(next)
        return next
      }
      const real = existsSync(next) ? realpathSync(next) : undefined
      if (real !== undefined && !relative(root, real).split('/').includes('..')) return real
      throw new VolumeError(`the subPath ${JSON.stringify(path)} of volume "${mount.name}" leads out of the volume: ${part} is a link`)
    }, root)
}
