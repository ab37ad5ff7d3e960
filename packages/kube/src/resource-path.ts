/** URLs of the Kubernetes API. */
import type { ResourceType } from '@lateen/api'

export interface PathParts {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly subresource?: string | undefined
}

/** `/apis/apps/v1/namespaces/shop/deployments/cart/scale`: where a kind, object or subresource is. */
export function resourcePath(type: ResourceType, parts: PathParts = {}): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const namespace = type.namespaced && parts.namespace ? `/namespaces/${encodeURIComponent(parts.namespace)}` : ''
  const name = parts.name ? `/${encodeURIComponent(parts.name)}` : ''
  const subresource = parts.subresource ? `/${parts.subresource}` : ''
  return `${root}${namespace}/${type.plural}${name}${subresource}`
}

/** `apps/v1`, or `v1` in the core group. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}
