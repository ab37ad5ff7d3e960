/**
 * Where the node agent keeps what it must remember, under the state directory.
 *
 *     scratch/            tmpfs of the node's mount namespace: gone with the node, as are the namespaces and layers in it
 *       ns/<pod>/{net,uts,ipc}   dev/   layers/<pod>/<container>/
 *     pods/<uid>/         on disk: record.json, etc/, volumes/, containers/<name>/<n>.log
 *     addresses.json      which pod has which address
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

export interface StateLayout {
  readonly root: string
  readonly scratch: string
  readonly pods: string
  readonly addresses: string
  readonly programs: string
}

export function stateLayout(root: string): StateLayout {
  return {
    root,
    scratch: join(root, 'scratch'),
    pods: join(root, 'pods'),
    addresses: join(root, 'addresses.json'),
    programs: join(root, 'programs'),
  }
}

/** Makes the directories; only this user may enter them, since Secrets are kept below. */
export function makeStateDirectories(layout: StateLayout): void {
  mkdirSync(layout.root, { recursive: true, mode: 0o700 })
  for (const directory of [layout.scratch, layout.pods, layout.programs]) mkdirSync(directory, { recursive: true, mode: 0o700 })
}

export interface PodDirectories {
  readonly root: string
  readonly record: string
  readonly etc: string
  readonly volumes: string
  readonly containers: string
  readonly namespaces: string
  readonly layers: string
}

/** Directories of one pod; `uid` comes from the API server and is checked, because it becomes a path. */
export function podDirectories(layout: StateLayout, uid: string): PodDirectories {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(uid)) throw new Error(`the pod uid ${JSON.stringify(uid)} cannot be a directory name`)
  const root = join(layout.pods, uid)
  return {
    root,
    record: join(root, 'record.json'),
    etc: join(root, 'etc'),
    volumes: join(root, 'volumes'),
    containers: join(root, 'containers'),
    namespaces: join(layout.scratch, 'ns', uid),
    layers: join(layout.scratch, 'layers', uid),
  }
}
