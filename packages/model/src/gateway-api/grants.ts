/** ReferenceGrants: which objects may name objects of another namespace. */
import type { Context } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'
import type { ReferenceGrantSpec } from './specs.ts'

export const GATEWAY_GROUP = 'gateway.networking.k8s.io'

export interface Referrer {
  readonly group: string
  readonly kind: string
  readonly namespace: string
}

export interface Referred {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Whether an object may name another: always in its own namespace, elsewhere when a ReferenceGrant there says so. */
export function mayRefer(context: Context, inputs: Inputs, from: Referrer, to: Referred): boolean {
  if (from.namespace === to.namespace) return true
  return context.list(inputs.kinds['gateway.networking.k8s.io/ReferenceGrant'], 'namespace', to.namespace).some((grant) => {
    const spec = (grant.spec ?? {}) as ReferenceGrantSpec
    return (
      spec.from?.some((entry) => entry.group === from.group && entry.kind === from.kind && entry.namespace === from.namespace) &&
      spec.to?.some((entry) => (entry.group ?? '') === to.group && entry.kind === to.kind && (!entry.name || entry.name === to.name))
    )
  })
}
