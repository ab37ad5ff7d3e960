/** What may still change or refuse a write after it was understood: the namespace's life, and webhooks. */

import type { User } from '../auth/user.ts'
import type { Kind } from '../registry/kind.ts'
import type { Obj } from '../values.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

export interface AdmissionRequest {
  readonly kind: Kind
  readonly operation: Operation
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly object: Obj | undefined
  readonly old: Obj | undefined
  readonly user: User
  readonly dryRun: boolean
  readonly options: Obj
  readonly warn: (message: string) => void
}

export interface Admission {
  /** Whether any webhook would be called; asked first so that writes without one stay synchronous. */
  concerns(request: AdmissionRequest, mutating: boolean): boolean
  /** The object as the mutating webhooks leave it. @throws StatusError when one refuses */
  mutate(request: AdmissionRequest): Promise<Obj | undefined>
  /** @throws StatusError when a validating webhook refuses */
  validate(request: AdmissionRequest): Promise<void>
}
