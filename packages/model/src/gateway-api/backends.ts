/** Where backendRefs of routes lead. */
import type { Destination } from '@lateen/api'
import type { Context } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'
import { settingsOf } from '../services.ts'
import { mayRefer, type Referrer } from './grants.ts'
import type { BackendReference } from './specs.ts'

const ISTIO_GROUP = 'networking.istio.io'
const IMPORT_GROUP = 'multicluster.x-k8s.io'

/** A destination that no service has: what goes there is answered with 500. */
export const NOWHERE_TO_GO: Destination = { host: '' }

/** The destination that a backendRef names; nowhere for kinds that are not known, ports that are missing and references not granted. */
export function destinationOf(context: Context, inputs: Inputs, from: Referrer, ref: BackendReference): Destination {
  const { domain } = settingsOf(context, inputs)
  const group = ref.group ?? ''
  const kind = ref.kind ?? 'Service'
  const namespace = ref.namespace ?? from.namespace
  const port = ref.port === undefined ? {} : { port: { number: ref.port } }
  if (group === ISTIO_GROUP && kind === 'Hostname') return ref.namespace ? NOWHERE_TO_GO : { host: ref.name, ...port }
  const service = (group === '' && kind === 'Service') || (group === IMPORT_GROUP && kind === 'ServiceImport')
  if (!service || ref.port === undefined) return NOWHERE_TO_GO
  if (!mayRefer(context, inputs, from, { group, kind, namespace, name: ref.name })) return NOWHERE_TO_GO
  return { host: `${ref.name}.${namespace}.svc.${domain}`, ...port }
}

export interface WeightedDestination {
  readonly ref: BackendReference
  readonly destination: Destination
  /** Absent where all goes there. */
  readonly weight: number | undefined
}

/** Backends that get anything, with their shares. */
export function weightedDestinations(
  context: Context,
  inputs: Inputs,
  from: Referrer,
  refs: readonly BackendReference[],
): readonly WeightedDestination[] {
  const used = refs.filter((ref) => ref.weight !== 0)
  return used.map((ref) => ({
    ref,
    destination: destinationOf(context, inputs, from, ref),
    weight: used.length === 1 ? undefined : (ref.weight ?? 1),
  }))
}
