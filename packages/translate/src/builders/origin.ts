/**
 * From which object a piece of configuration was made, where Envoy's tools look for it: `filter_metadata.istio`, with `config` as Istio writes it
 * and, beyond Istio, `path`: the place in the object.
 */
import type { ObjectRef } from '@lateen/base'
import { structOf } from './struct.ts'

/** Kinds of other groups than Istio's networking. */
const GROUPS: Readonly<Record<string, string>> = {
  Ingress: 'networking.k8s.io',
  HTTPRoute: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
  TCPRoute: 'gateway.networking.k8s.io',
  TLSRoute: 'gateway.networking.k8s.io',
  AuthorizationPolicy: 'security.istio.io',
  PeerAuthentication: 'security.istio.io',
  RequestAuthentication: 'security.istio.io',
}

/** `/apis/networking.istio.io/v1/namespaces/shop/virtual-service/cart`. */
export function configPath({ kind, namespace, name }: ObjectRef): string {
  const kebab = kind.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase()
  return `/apis/${GROUPS[kind] ?? 'networking.istio.io'}/v1/namespaces/${namespace}/${kebab}/${name}`
}

/** Metadata that names an object. `path` is `spec.http[1].match[0]`, with `namespace/name:` before it when it is of another object of the kind. */
export function originMetadata(origin: ObjectRef, path?: string) {
  return { filterMetadata: { istio: structOf({ config: configPath(origin), ...(path && { path }) }) } }
}
