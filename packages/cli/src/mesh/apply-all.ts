/** Applies objects in their order, by server-side apply, so that a second start changes nothing and users' own fields stay. */
import type { KubeObject, ResourceType } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'

const FIELD_MANAGER = 'lateen-up'

/** Plurals that are not the kind in lower case with an s. */
const PLURALS: Readonly<Record<string, string>> = { IngressClass: 'ingressclasses', NetworkPolicy: 'networkpolicies' }
const CLUSTER_SCOPED = new Set([
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'IngressClass',
  'CustomResourceDefinition',
])

/** @throws ApiError of the first object that is refused */
export async function applyAll(client: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) await client.apply(typeOf(object), object, { fieldManager: FIELD_MANAGER, force: true })
}

/** How the API addresses the kind of an object. */
export function typeOf({ apiVersion, kind }: KubeObject): ResourceType {
  const slash = apiVersion.indexOf('/')
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    kind,
    plural: PLURALS[kind] ?? `${kind.toLowerCase()}s`,
    namespaced: !CLUSTER_SCOPED.has(kind),
  }
}
