/**
 * What a condition of authorization rules is: a test of the request (permission) or of who sends it (principal), which is how Envoy divides
 * them.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { PermissionSchema, PrincipalSchema } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'

export type PermissionInit = Exclude<MessageInitShape<typeof PermissionSchema>, { $typeName: string }>
export type PrincipalInit = Exclude<MessageInitShape<typeof PrincipalSchema>, { $typeName: string }>

/** Where a condition is asked. */
export interface ConditionPlace {
  /** False for chains that see only connections. */
  readonly http: boolean
  /** A match makes the policy stricter: it denies, or it takes something out of what is allowed. */
  readonly strict: boolean
  /** Values mean every spelling where a match is stricter, and the plain one alone where it is not. */
  readonly everySpelling: boolean
  /** The policy's own namespace. */
  readonly namespace: string
  /** The mesh's names, its current one first. */
  readonly trustDomains: readonly string[]
}

/** The tests of which one must hold for a list of values; undefined for those that cannot be asked. */
type Ask<T> = (values: readonly string[], at: ConditionPlace) => readonly (T | undefined)[]

export type Condition =
  | { readonly side: 'permission'; readonly ask: Ask<PermissionInit> }
  | { readonly side: 'principal'; readonly ask: Ask<PrincipalInit> }

export const permission = (ask: (value: string, at: ConditionPlace) => PermissionInit | undefined): Condition => ({
  side: 'permission',
  ask: (values, at) => values.map((value) => ask(value, at)),
})
export const principal = (ask: (value: string, at: ConditionPlace) => PrincipalInit | undefined): Condition => ({
  side: 'principal',
  ask: (values, at) => values.map((value) => ask(value, at)),
})
