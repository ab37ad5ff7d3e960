/** Which object a part of the configuration was made from, as its metadata says. */
import type { JsonObject } from '@bufbuild/protobuf'
import type { ObjectRef } from '@lateen/base'

/** An object and, where it is known, the place in it: `spec.http[1].match[0]`. */
export interface Origin extends ObjectRef {
  readonly path?: string
}

interface WithMetadata {
  readonly filterMetadata: { readonly [filter: string]: JsonObject }
}

/**
 * Reads `filter_metadata.istio`: `config` (`/apis/<group>/<version>/namespaces/<namespace>/<kind-in-kebab-case>/<name>`), `path`, and the
 * `services` of a cluster.
 */
export function originsOf(metadata: WithMetadata | undefined): Origin[] {
  const istio = metadata?.filterMetadata['istio']
  if (!istio) return []
  const config = istio['config']
  const path = istio['path']
  const object = typeof config === 'string' ? objectOf(config) : undefined
  return [
    ...(object ? placesOf(object, typeof path === 'string' ? path : undefined) : []),
    ...servicesOf(metadata).map(({ kind, namespace, name }) => ({ kind, namespace, name })),
  ]
}

/** A delegate's route is written in the delegate; the object that names it comes second. */
function placesOf(object: ObjectRef, path: string | undefined): Origin[] {
  const [, namespace, name, inner] = /^([^/:]+)\/([^:]+):(.*)$/.exec(path ?? '') ?? []
  if (namespace !== undefined && name !== undefined && inner !== undefined)
    return [{ kind: object.kind, namespace, name, path: inner }, object]
  return [{ ...object, ...(path !== undefined && { path }) }]
}

/** A service that a part of the configuration is for. */
export interface ServiceRef extends ObjectRef {
  readonly host: string
}

/** The `services` of a cluster, of a filter chain. One without a namespace's cluster domain is a ServiceEntry's. */
export function servicesOf(metadata: WithMetadata | undefined): ServiceRef[] {
  const list = metadata?.filterMetadata['istio']?.['services']
  if (!Array.isArray(list)) return []
  return list.flatMap((entry) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return []
    const text = (field: string): string => {
      const value = entry[field]
      return typeof value === 'string' ? value : ''
    }
    const host = text('host')
    if (host === '') return []
    // A Kubernetes Service's host begins with its name and namespace; an entry's host is its name.
    const kubernetes = host.startsWith(`${text('name')}.${text('namespace')}.svc.`)
    return [{ kind: kubernetes ? 'Service' : 'ServiceEntry', namespace: text('namespace'), name: text('name'), host }]
  })
}

const CONFIG = /^\/apis\/[^/]+\/[^/]+\/namespaces\/([^/]+)\/([^/]+)\/(.+)$/

/** The object of a `config` entry. */
export function objectOf(config: string): ObjectRef | undefined {
  const [, namespace, kebab, name] = CONFIG.exec(config) ?? []
  if (namespace === undefined || kebab === undefined || name === undefined) return undefined
  return { kind: KINDS.get(kebab) ?? pascal(kebab), namespace, name }
}

/** Kinds that do not follow from their words. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['http-route', 'HTTPRoute'],
  ['grpc-route', 'GRPCRoute'],
  ['tcp-route', 'TCPRoute'],
  ['tls-route', 'TLSRoute'],
])

const pascal = (kebab: string): string =>
  kebab
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
