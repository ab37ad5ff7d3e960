/** What reviews and streams of pods need besides the request. */
import type { Authorizer } from '../auth/rbac.ts'
import type { Tokens } from '../auth/tokens.ts'
import { notFound } from '../errors.ts'
import type { PodBackend } from '../options.ts'
import type { Kind } from '../registry/kind.ts'
import type { Obj } from '../values.ts'
import { type Core, recordOf } from './core.ts'

export interface ReviewServices {
  readonly core: Core
  readonly authorizer: Authorizer
  readonly tokens: Tokens
  readonly pods: () => PodBackend | undefined
}

/** The pod that a stream is for. @throws StatusError */
export function podOf(core: Core, kind: Kind, namespace: string, name: string): Obj {
  const record = recordOf(core, kind, namespace, name)
  if (!record) throw notFound(kind, name)
  return record.object
}
