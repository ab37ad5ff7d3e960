/**
 * Who asked for what, and what was answered: one line of JSON for each request that came over the network, an `Event` of
 * `audit.k8s.io/v1` of the level `Metadata`, so that nothing of a body, and no token, is ever in it.
 *
 * Enters: requests and their answers. Leaves: lines of a file, which begins anew when it is full.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { logger } from '@lateen/base'
import type { Attributes, Verdict } from '../auth/rbac.ts'
import type { User } from '../auth/user.ts'
import type { ApiRequest } from '../http/request.ts'

const log = logger('audit')

export interface AuditOptions {
  /** The file; what is full is kept beside it as `PATH.1`. */
  readonly path: string
  /** Default 100 MiB. */
  readonly maxBytes?: number
}

export interface Audited {
  readonly request: ApiRequest
  readonly attributes: Attributes
  readonly verdict: Verdict
  /** HTTP status of the answer. */
  readonly code: number
  readonly received: Date
  readonly answered: Date
}

const DEFAULT_MAX_BYTES = 100 << 20

export class AuditLog {
  readonly #path: string
  readonly #maxBytes: number
  /** Absent once it is closed: its number may mean another file then. */
  #file: number | undefined
  #size: number

  /** @throws Error when the file cannot be written */
  constructor({ path, maxBytes = DEFAULT_MAX_BYTES }: AuditOptions) {
    this.#path = path
    this.#maxBytes = maxBytes
    const file = openSync(path, 'a', 0o600)
    this.#file = file
    this.#size = fstatSync(file).size
  }

  record(audited: Audited): void {
    if (this.#file === undefined) return
    const line = Buffer.from(`${JSON.stringify(eventOf(audited))}\n`)
    try {
      if (this.#size > 0 && this.#size + line.length > this.#maxBytes) this.#file = this.#beginAnew(this.#file)
      this.#size += writeSync(this.#file, line)
    } catch (error) {
      // A full disk must not end the API server.
      log.error(`cannot write ${this.#path}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #beginAnew(full: number): number {
    renameSync(this.#path, `${this.#path}.1`)
    // Opened before the other is closed: where that fails, the number of the closed one must not come to mean another file.
    const next = openSync(this.#path, 'a', 0o600)
    closeSync(full)
    this.#size = 0
    return next
  }
}

function eventOf({ request, attributes, verdict, code, received, answered }: Audited): Record<string, unknown> {
  const { verb, group, version, resource, subresource, namespace, name, path } = attributes
  const query = request.query.toString()
  const userAgent = request.header('user-agent')
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: crypto.randomUUID(),
    stage: verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete',
    requestURI: query === '' ? request.path : `${request.path}?${query}`,
    verb,
    ...(request.impersonator
      ? { user: nameAndGroups(request.impersonator), impersonatedUser: nameAndGroups(request.user) }
      : { user: nameAndGroups(request.user) }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(path === undefined && {
      objectRef: {
        resource,
        ...(namespace && { namespace }),
        ...(name && { name }),
        ...(group && { apiGroup: group }),
        apiVersion: version,
        ...(subresource && { subresource }),
      },
    }),
    responseStatus: { metadata: {}, code },
    requestReceivedTimestamp: received.toISOString(),
    stageTimestamp: answered.toISOString(),
    annotations: {
      'authorization.k8s.io/decision': verdict.allowed ? 'allow' : 'forbid',
      'authorization.k8s.io/reason': verdict.reason,
    },
  }
}

const nameAndGroups = ({ name, groups }: User) => ({ username: name, groups })
