/**
 * The last good identity on disk, so that a proxy that restarts while the control plane is away still serves.
 *
 * One file, readable by its owner alone, in the pod's own emptyDir; replaced whole by rename.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { inspect } from '@lateen/ca'
import type { WorkloadIdentity } from './identity.ts'

const MAX_FILE = 1 << 20

/** Writes the identity for its owner alone. */
export async function saveIdentity(file: string, identity: WorkloadIdentity): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const next = `${file}.next`
  await writeFile(next, JSON.stringify(identity), { mode: 0o600 })
  // A file left over from a crash keeps its old mode when it is written again.
  await chmod(next, 0o600)
  await rename(next, file)
}

/**
 * The saved identity when it is whole, still valid at `now`, and for the identity `uri`; else the reason it is not used, or
 * nothing when none was saved.
 */
export async function loadIdentity(file: string, uri: string, now: number): Promise<{ identity?: WorkloadIdentity; unusable?: string }> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return {}
  }
  const identity = text.length <= MAX_FILE ? parse(text) : undefined
  if (!identity) return { unusable: 'it cannot be read' }
  try {
    const { uris, notAfter } = inspect(identity.chainPem)
    if (!uris.includes(uri)) return { unusable: `it is for ${uris.join(', ') || 'no identity'}` }
    if (notAfter.getTime() <= now) return { unusable: `it expired at ${notAfter.toISOString()}` }
    if (!new X509Certificate(identity.chainPem).checkPrivateKey(createPrivateKey(identity.keyPem)))
      return { unusable: 'its key does not match' }
    return { identity }
  } catch {
    return { unusable: 'it cannot be read' }
  }
}

function parse(text: string): WorkloadIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { keyPem, chainPem, rootsPem } = value as Record<string, unknown>
    return typeof keyPem === 'string' && typeof chainPem === 'string' && typeof rootsPem === 'string'
      ? { keyPem, chainPem, rootsPem }
      : undefined
  } catch {
    return undefined
  }
}
