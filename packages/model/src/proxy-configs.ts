/**
 * ProxyConfig objects: settings of proxies, read when a proxy is injected. One for the workload stands above the namespace's, which
 * stands above the mesh's (root namespace); at each step the oldest counts.
 */
import type { KubeObject, MeshProxyConfig, ProxyConfigSpec } from '@lateen/api'
import type { Source } from '@lateen/graph'
import { byAge } from './destination-rules.ts'
import { selects } from './workload.ts'

export interface ProxyConfigQuery {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly rootNamespace: string
}

/** What ProxyConfigs say of a workload, by the names of the mesh's settings of proxies; variables of all of them are joined. */
export function proxyConfigFor(objects: Source<KubeObject>, { namespace, labels, rootNamespace }: ProxyConfigQuery): MeshProxyConfig {
  const all = [...objects.keys()]
    .flatMap((key) => objects.peek(key) ?? [])
    .map((object) => ({
      namespace: object.metadata.namespace ?? '',
      key: `${object.metadata.namespace ?? ''}/${object.metadata.name}`,
      created: object.metadata.creationTimestamp ?? '',
      spec: (object.spec ?? {}) as ProxyConfigSpec,
    }))
    .sort(byAge)
  const wide = (of: string) => all.find((entry) => entry.namespace === of && !hasSelector(entry.spec))
  const narrow = all.find(
    ({ spec, ...entry }) => entry.namespace === namespace && hasSelector(spec) && selects(spec.selector?.matchLabels ?? {}, labels),
  )
  const found = [wide(rootNamespace), namespace === rootNamespace ? undefined : wide(namespace), narrow]
  return found.reduce<MeshProxyConfig>((merged, entry) => merge(merged, entry?.spec ?? {}), {})
}

const hasSelector = ({ selector }: ProxyConfigSpec): boolean => Object.keys(selector?.matchLabels ?? {}).length > 0

function merge(base: MeshProxyConfig, { concurrency, environmentVariables, image }: ProxyConfigSpec): MeshProxyConfig {
  return {
    ...base,
    ...(concurrency !== undefined && concurrency !== null && { concurrency }),
    ...(environmentVariables && { proxyMetadata: { ...base.proxyMetadata, ...environmentVariables } }),
    ...(image?.imageType && { image }),
  }
}
