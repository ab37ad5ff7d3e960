/** What the status of an object should say, as far as it is the mesh's to say. */
import type { ObjectRef } from '@lateen/base'
import type { Problem } from '../gateway-api/problem.ts'
import type { ParentReference } from '../gateway-api/specs.ts'

export interface WantedCondition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

export interface WantedListener {
  readonly name: string
  readonly attachedRoutes: number
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
  readonly conditions: readonly WantedCondition[]
}

export interface WantedParent {
  readonly parentRef: ParentReference
  readonly controllerName: string
  readonly conditions: readonly WantedCondition[]
}

export interface WantedStatus {
  readonly object: ObjectRef
  /** The generation of the object that this was made from. */
  readonly generation: number | undefined
  /** Conditions by type; those of other types stay as they are. */
  readonly conditions?: readonly WantedCondition[]
  /** All listeners of the object; those of other names are dropped. */
  readonly listeners?: readonly WantedListener[]
  /** Parents that the mesh answers for; the entries of other controllers stay as they are. */
  readonly parents?: readonly WantedParent[]
  /** Fields that are the mesh's alone, each as a whole; null takes one away. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** A condition that says all is well, or what is not. */
export const condition = (type: string, problem: Problem | undefined, message: string): WantedCondition =>
  problem ? { type, status: 'False', ...problem } : { type, status: 'True', reason: type, message }
