/** An object as analyzers see it: its kind, its names, its spec in typed form, and where it came from. */
import { type KubeObject, type LocatedDiagnostic, normalize, type Position, validate } from '@lateen/api'
import { isIstioKind, KIND_TYPES, type KindName, kindNameOf, type SpecOf } from './kinds.ts'
import {
  customResourceView,
  deploymentView,
  fieldsOf,
  kubernetesGatewayView,
  type Labels,
  podView,
  serviceView,
  textsOf,
  webhookConfigurationView,
} from './kubernetes-views.ts'

/** Where an object was read from; without a file it is live. */
export interface Origin {
  readonly file?: string
  /** Where a path of the object stands in the file; the nearest enclosing part when the path itself is not there. */
  positionOf?(path: string): Position | undefined
  /** The cluster of a live object, when several are looked at. */
  readonly cluster?: string
}

export interface ConditionView {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

export interface Resource<K extends KindName = KindName> {
  readonly kind: K
  /** Empty in cluster scope, and for an object of a file that names none while no default was given. */
  readonly namespace: string
  readonly name: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly spec: SpecOf[K]
  readonly conditions: readonly ConditionView[]
  /** Addresses that the control plane has given a ServiceEntry. */
  readonly hasStatusAddresses: boolean
  readonly object: KubeObject
  readonly origin: Origin
}

export type AnyResource = { readonly [K in KindName]: Resource<K> }[KindName]

/** `namespace/name`, or the name alone without a namespace. */
export const fullName = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  namespace === '' ? name : `${namespace}/${name}`

/** `Gateway shop/web`: how messages name a resource; both kinds of Gateway have that name. */
export const friendlyName = (resource: Resource): string => `${resource.object.kind} ${fullName(resource)}`

export interface ReadOptions {
  readonly origin?: Origin
  /** The namespace of objects that name none. */
  readonly defaultNamespace?: string
}

/** The resource that an object stands for; `undefined` when no analyzer looks at its kind. */
export function readResource(object: KubeObject, { origin = {}, defaultNamespace = '' }: ReadOptions = {}): AnyResource | undefined {
  const kind = kindNameOf(object.apiVersion, object.kind)
  if (!kind) return undefined
  const namespace = KIND_TYPES[kind].namespaced ? object.metadata.namespace || defaultNamespace : ''
  const { namespace: _, ...metadata } = object.metadata
  const placed: KubeObject = { ...object, metadata: namespace === '' ? metadata : { ...metadata, namespace } }
  const status = fieldsOf(object.status)
  const resource = {
    kind,
    namespace,
    name: object.metadata.name,
    labels: textsOf(object.metadata.labels),
    annotations: textsOf(object.metadata.annotations),
    spec: specOf(kind, placed),
    conditions: conditionsOf(status),
    hasStatusAddresses: Array.isArray(status['addresses']) && status['addresses'].length > 0,
    object: placed,
    origin,
  }
  // `specOf` returns the form that SpecOf names for this kind.
  return resource as AnyResource
}

/** What is wrong with an object of Istio's API by itself, with places in the file it came from. */
export function diagnosticsOf({ object, origin }: Resource): LocatedDiagnostic[] {
  return validate(object, {
    ...(origin.file !== undefined && { file: origin.file }),
    ...(origin.positionOf && { positions: (path: string) => origin.positionOf?.(path) }),
  })
}

function specOf(kind: KindName, object: KubeObject): unknown {
  if (isIstioKind(kind)) return fieldsOf(normalize(object).spec)
  switch (kind) {
    case 'Pod':
      return podView(object.spec)
    case 'Deployment':
      return deploymentView(object.spec)
    case 'Service':
      return serviceView(object.spec)
    case 'ConfigMap':
    case 'Secret':
      return { data: textsOf(object['data']) }
    case 'MutatingWebhookConfiguration':
    case 'ValidatingWebhookConfiguration':
      return webhookConfigurationView(object['webhooks'])
    case 'CustomResourceDefinition':
      return customResourceView(object.spec)
    case 'KubernetesGateway':
      return kubernetesGatewayView(object.spec)
    case 'GRPCRoute':
    case 'HTTPRoute':
    case 'Namespace':
    case 'Node':
      return {}
  }
}

/** Those of the object and, of a route, those that each of its parents has for it. */
function conditionsOf(status: Readonly<Record<string, unknown>>): ConditionView[] {
  const parents = listOf(status['parents']).flatMap((parent) => listOf(fieldsOf(parent)['conditions']))
  return [...listOf(status['conditions']), ...parents].map((entry) => {
    const { type, status: state, reason, message } = textsOf(entry)
    return { type: type ?? '', status: state ?? '', reason: reason ?? '', message: message ?? '' }
  })
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
