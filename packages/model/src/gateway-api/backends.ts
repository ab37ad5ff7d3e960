/** Where backendRefs of routes lead. */
import type { Destination } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'
import type { Service } from '../service.ts'
import { settingsOf } from '../services.ts'
import { mayRefer, type Referrer } from './grants.ts'
import type { Problem } from './problem.ts'
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

/** Why nothing can be sent to a backend; undefined where something can. */
export function backendProblem(context: Context, sources: BackendSources, from: Referrer, ref: BackendReference): Problem | undefined {
  const { inputs, services, serviceEntries } = sources
  const group = ref.group ?? ''
  const kind = ref.kind ?? 'Service'
  const namespace = ref.namespace ?? from.namespace
  const named = group === ISTIO_GROUP && kind === 'Hostname'
  const service = (group === '' && kind === 'Service') || (group === IMPORT_GROUP && kind === 'ServiceImport')
  if (!named && !service)
    return { reason: 'InvalidKind', message: `backendRefs cannot name ${kind} "${ref.name}" of group "${group}": name a Service` }
  if (named && ref.namespace)
    return { reason: 'InvalidDestination', message: `backendRef to Hostname "${ref.name}" must name no namespace` }
  if (ref.port === undefined) return { reason: 'InvalidDestination', message: `backendRef to ${kind} "${ref.name}" needs a port` }
  if (service && ref.name.includes('.'))
    return { reason: 'InvalidDestination', message: `backendRef names "${ref.name}", a host; give the name of the ${kind} alone` }
  if (service && !mayRefer(context, inputs, from, { group, kind, namespace, name: ref.name })) {
    const who = `a ${from.kind} of namespace ${from.namespace}`
    const message = `${kind} ${namespace}/${ref.name} is in another namespace, and no ReferenceGrant there lets ${who} name it`
    return { reason: 'RefNotPermitted', message }
  }
  const host = destinationOf(context, inputs, from, ref).host
  const known = context.list(services, 'host', host).length > 0 || context.list(serviceEntries, 'host', host).length > 0
  return known ? undefined : { reason: 'BackendNotFound', message: `no service has the host ${host}` }
}

export interface BackendSources {
  readonly inputs: Inputs
  readonly services: Source<Service>
  readonly serviceEntries: Source<Service>
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
