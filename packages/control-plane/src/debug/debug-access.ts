/**
 * Who may see debug pages: holders of the process's own token (a file that only its user can read, which `pilot-discovery request`
 * sends), and service accounts by their token: those of the control plane's namespace see everything, others their own namespace's
 * proxies. Being on loopback proves nothing.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logger } from '@lateen/base'
import { parseIdentity } from '@lateen/ca'
import { type Authenticator, bearerToken } from '../identity/authenticator.ts'

export type Access = { readonly scope: 'all' } | { readonly scope: 'namespace'; readonly namespace: string } | { readonly refused: string }

export interface DebugAccess {
  check(authorization: string | undefined): Promise<Access>
  stop(): void
}

export interface DebugAccessOptions {
  readonly authenticate: boolean
  readonly authenticator: Authenticator
  /** Namespaces whose service accounts see everything. */
  readonly namespaces: readonly string[]
  /** The ports that serve debug pages: the token's file is named by them, so that control planes on one machine keep apart. */
  readonly ports: readonly number[]
}

const log = logger('debug')

/** Istiod's own writable folder, in memory; its root file system is read-only, the folder for temporary files with it. */
const CERTIFICATE_FOLDER = '/var/run/secrets/istio-dns'

/** Where the token of the control plane that serves debug pages on a port lies. */
export function debugTokenPath(port: number): string {
  const folder = isWritable(CERTIFICATE_FOLDER) ? CERTIFICATE_FOLDER : tmpdir()
  return join(folder, `lateen-debug-${process.getuid?.() ?? 0}`, `${port}.token`)
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

export function createDebugAccess(options: DebugAccessOptions): DebugAccess {
  const token = randomBytes(32).toString('base64url')
  const paths = options.ports.map(debugTokenPath)
  for (const path of paths) writeToken(path, token)
  return {
    check: async (authorization) => {
      if (!options.authenticate) return { scope: 'all' }
      const given = bearerToken(authorization)
      if (given !== undefined && isEqual(given, token)) return { scope: 'all' }
      const caller = await options.authenticator.authenticate({ certificateIdentities: [], authorization })
      if ('refused' in caller) return { refused: caller.refused }
      const namespace = parseIdentity(caller.identities[0] ?? '')?.namespace
      if (namespace === undefined) return { refused: 'the token belongs to no service account' }
      return options.namespaces.includes(namespace) ? { scope: 'all' } : { scope: 'namespace', namespace }
    },
    stop: () => {
      for (const path of paths) rmSync(path, { force: true })
    },
  }
}

function writeToken(path: string, token: string): void {
  try {
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
    rmSync(path, { force: true })
    // Never through an existing file or link: the folder lies where others may write.
    writeFileSync(path, token, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    log.warn(
      `the debug token could not be written to ${path}: ${error instanceof Error ? error.message : String(error)}; "pilot-discovery request" will be refused`,
    )
  }
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
