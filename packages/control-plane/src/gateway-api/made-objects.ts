/** The objects that were made for Gateways: applied, watched, and told apart from those that somebody else made. */
import { type KubeObject, objectKey, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { GATEWAY_NAME_LABEL, MANAGED_LABEL } from '@lateen/inject'
import { type KubeClient, type ListWatch, listWatch } from '@lateen/kube'
import { found } from './found.ts'
import { keepSelector, traitsOf } from './object-traits.ts'

export interface MadeObjects {
  readonly synced: Promise<unknown>
  /** Makes or changes an object; `taken` where one of its name is somebody else's. @throws ApiError */
  apply(object: KubeObject): Promise<'applied' | 'taken'>
}

export interface MadeObjectsOptions {
  readonly client: KubeClient
  readonly signal: AbortSignal
  /** Something of a Gateway (`namespace/name`) was changed or deleted by others. */
  readonly onChange: (gateway: string) => void
  /** So much was missed that anything may have changed. */
  readonly onRelist: () => void
}

const FIELD_MANAGER = 'istio.io/gateway-controller'

const namespaced = (group: string, version: string, kind: string, plural: string): ResourceType => ({
  group,
  version,
  kind,
  plural,
  namespaced: true,
})
/** Everything that a template may make, by kind. */
const TYPES: Readonly<Record<string, ResourceType>> = {
  ServiceAccount: RESOURCE_TYPES.ServiceAccount,
  Deployment: namespaced('apps', 'v1', 'Deployment', 'deployments'),
  Service: RESOURCE_TYPES.Service,
  HorizontalPodAutoscaler: namespaced('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  PodDisruptionBudget: namespaced('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
}

const log = logger('gateways')

/** Follows them until the signal aborts. */
export function followMadeObjects({ client, signal, onChange, onRelist }: MadeObjectsOptions): MadeObjects {
  /** What of each is ours to keep, as it was last seen: by `Kind/namespace/name`. */
  const seen = new Map<string, string>()
  const changed = ({ metadata }: KubeObject) => {
    const gateway = metadata.labels?.[GATEWAY_NAME_LABEL]
    if (gateway) onChange(`${metadata.namespace ?? ''}/${gateway}`)
  }
  const follow = (type: ResourceType): ListWatch => {
    const keyOf = (object: KubeObject) => `${type.kind}/${objectKey(object)}`
    return listWatch(
      client,
      type,
      { labelSelector: MANAGED_LABEL, optional: true, log },
      {
        replace: (objects) => {
          for (const key of [...seen.keys()]) if (key.startsWith(`${type.kind}/`)) seen.delete(key)
          for (const object of objects) seen.set(keyOf(object), traitsOf(object))
          onRelist()
        },
        set: (object) => {
          const known = seen.get(keyOf(object))
          seen.set(keyOf(object), traitsOf(object))
          if (known !== undefined && known !== traitsOf(object)) changed(object)
        },
        delete: (object) => {
          seen.delete(keyOf(object))
          changed(object)
        },
      },
    )
  }
  const watches = Object.values(TYPES).map(follow)
  signal.addEventListener('abort', () => {
    for (const watch of watches) watch.stop()
  })
  return {
    synced: Promise.all(watches.map(({ synced }) => synced)),
    apply: async (object) => {
      const { kind, metadata } = object
      const type = TYPES[kind]
      if (!type) throw new RangeError(`a gateway cannot have a ${kind}`)
      const present = await found(client.get(type, metadata.namespace, metadata.name))
      if (present && present.metadata.labels?.[MANAGED_LABEL] === undefined) return 'taken'
      // With the version that was looked at: somebody may make or change it in between.
      const { resourceVersion } = present?.metadata ?? {}
      const wanted = { ...object, metadata: { ...metadata, ...(resourceVersion ? { resourceVersion } : {}) } }
      const written = await client.apply(type, keepSelector(wanted, present), { fieldManager: FIELD_MANAGER, force: true })
      seen.set(`${kind}/${objectKey(object)}`, traitsOf(written))
      return 'applied'
    },
  }
}
