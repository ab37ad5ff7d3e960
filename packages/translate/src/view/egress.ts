/** The egress listeners of a Sidecar: each sees what it imports alone. */
import type { Protocol } from '@lateen/model'
import type { Scope } from './scope.ts'

export interface EgressView {
  /** The scope with what this listener imports. */
  readonly scope: Scope
  /** The port that it is about; undefined for one that takes every port of its services. */
  readonly port: number | undefined
  readonly protocol: Protocol
  readonly bind: string
  readonly bound: boolean
}

/** A scope without such listeners is one that takes every port. */
export function egressViews(scope: Scope): readonly EgressView[] {
  if (!scope.egress) return [{ scope, port: undefined, protocol: 'auto', bind: '', bound: false }]
  return scope.egress.map(({ imports, ...listener }) => ({ ...listener, scope: { ...scope, imports, egress: undefined } }))
}
