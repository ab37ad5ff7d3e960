/** What is found inside a proxy's container: its connections, and core dumps in the folder of its data. */
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ExecResult, execInPod } from '@lateen/kube'
import type { Cluster } from '../../cluster/connect.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import type { Item, Part } from './item.ts'

export interface Container {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** Where Envoy's core dumps are written, as Istio's proxies are set up. */
const CORE_FOLDER = '/var/lib/istio'
/** Of one proxy; those beyond are only told of. */
const MOST_CORES = 3
const MOST_CORE_BYTES = 2 * 1024 ** 3
const CORE_TIMEOUT_MS = 600_000
const MOST_TEXT_BYTES = 16 << 20

/** Whoever is first in the image. */
const CONNECTIONS: readonly (readonly string[])[] = [
  ['netstat', '-natpw'],
  ['ss', '-natp'],
  ['cat', '/proc/net/tcp', '/proc/net/tcp6'],
]

/** @param path of the file */
export function netstatItem(cluster: Cluster, container: Container, path: string): Item {
  return {
    path,
    isOptional: true,
    read: async () => {
      for (const command of CONNECTIONS) {
        const result = await run(cluster, container, command)
        if (result) return result.stdout.toString('utf8')
      }
      throw new CommandError(`the image has neither netstat, ss nor cat`)
    },
  }
}

/** @param path of the folder; @param folder on this machine, where dumps are kept until they are in the archive */
export function coresItem(cluster: Cluster, container: Container, { path, folder }: { path: string; folder: string }): Item {
  return {
    path,
    isOptional: true,
    read: async (note, signal) => {
      const found = await run(cluster, container, ['find', CORE_FOLDER, '-name', 'core.*', '-type', 'f'])
      if (!found) throw new CommandError('the image has no find')
      const files = found.stdout.toString('utf8').split('\n').filter(isCore)
      if (files.length > MOST_CORES) note(`${path}: ${files.length} core dumps; these were left: ${files.slice(MOST_CORES).join(', ')}`)
      const parts: Part[] = []
      for (const [index, file] of files.slice(0, MOST_CORES).entries()) {
        signal.throwIfAborted()
        const name = `${index}.core`
        const kept = join(folder, `${container.namespace}-${container.pod}-${container.container}-${name}`)
        try {
          parts.push({ name, content: { file: kept, size: await copy(cluster, { ...container, file, signal }, kept) } })
        } catch (error) {
          rmSync(kept, { force: true })
          note(`${path}/${name} (${file}): ${error instanceof Error ? error.message : String(error)}`)
        }
      }
      return parts
    },
  }
}

/** A container says what its files are called. */
const isCore = (file: string): boolean => file.startsWith(`${CORE_FOLDER}/`) && !file.includes('/../')

async function copy(
  { connection }: Cluster,
  { file, signal, ...container }: Container & { readonly file: string; readonly signal: AbortSignal },
  target: string,
): Promise<number> {
  const descriptor = openSync(target, 'wx', 0o600)
  let size = 0
  try {
    const { code, stderr } = await execInPod(connection, {
      ...container,
      command: ['cat', file],
      timeoutMs: CORE_TIMEOUT_MS,
      maxBytes: MOST_CORE_BYTES,
      signal,
      onStdout: (chunk) => {
        // Unlike a single write, to the last byte.
        writeFileSync(descriptor, chunk)
        size += chunk.length
      },
    })
    if (code !== 0) throw new CommandError(stderr.trim() || `cat ended with ${code}`)
    return size
  } finally {
    closeSync(descriptor)
  }
}

/** Shells' and runtimes' codes for a program that there is not. */
const MISSING = [126, 127]

/** Undefined when the image has no such program. @throws CommandError when the program fails */
async function run(cluster: Cluster, container: Container, command: readonly string[]): Promise<ExecResult | undefined> {
  const { connection, timeoutMs } = cluster
  const result = await execInPod(connection, { ...container, command, timeoutMs, maxBytes: MOST_TEXT_BYTES }).catch((error: unknown) => {
    if (error instanceof Error && /executable file not found|no such file or directory/i.test(error.message)) return undefined
    throw error
  })
  if (!result || MISSING.includes(result.code)) return undefined
  // `find` goes on after a folder that it may not read, and `cat` after a file that is not there.
  if (result.code !== 0 && result.stdout.length === 0)
    throw new CommandError(result.stderr.trim() || `${command[0]} ended with ${result.code}`)
  return result
}
