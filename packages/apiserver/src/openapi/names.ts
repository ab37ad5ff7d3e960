/** Names of definitions in OpenAPI documents. */

/** `core.v1.Pod` → `io.k8s.api.core.v1.Pod`. */
export function openApiName(definition: string): string {
  if (definition.startsWith('meta.')) return `io.k8s.apimachinery.pkg.apis.${definition}`
  if (definition.startsWith('apiextensions.')) return `io.k8s.apiextensions-apiserver.pkg.apis.${definition}`
  return `io.k8s.api.${definition}`
}

/** `networking.istio.io`, `v1`, `VirtualService` → `io.istio.networking.v1.VirtualService`. */
export function customName(group: string, version: string, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`
}
