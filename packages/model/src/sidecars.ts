/** Sidecar objects: what a workload wants to see of the mesh. */
import { type KubeObject, objectKey, refOf, type SidecarSpec } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { byAge } from './destination-rules.ts'
import { hostsOverlap } from './host.ts'
import type { Inputs } from './inputs.ts'
import { settingsOf } from './services.ts'
import { selects } from './workload.ts'

/** One `namespace/host` of an egress list; the namespace is `*`, `.` or a name. */
export interface Import {
  readonly namespace: string
  readonly host: string
}

export interface SidecarConfig {
  readonly key: string
  readonly namespace: string
  readonly selector: Readonly<Record<string, string>> | undefined
  /** Undefined when the object has no egress list: everything is imported. */
  readonly imports: readonly Import[] | undefined
  readonly spec: SidecarSpec
  readonly created: string
  readonly origin: ObjectRef
}

export function sidecarCollection(graph: Graph, inputs: Inputs): Source<SidecarConfig> {
  return graph.collection<KubeObject, SidecarConfig>(
    'sidecars',
    inputs.kinds['networking.istio.io/Sidecar'],
    (_, object) => {
      const spec = (object.spec ?? {}) as SidecarSpec
      const namespace = object.metadata.namespace ?? ''
      const labels = spec.workloadSelector?.labels
      const hosts = spec.egress?.flatMap((listener) => listener.hosts ?? [])
      const config: SidecarConfig = {
        key: objectKey(object),
        namespace,
        selector: labels && Object.keys(labels).length > 0 ? labels : undefined,
        imports: hosts?.map(parseImport),
        spec,
        created: object.metadata.creationTimestamp ?? '',
        origin: refOf(object),
      }
      return [[config.key, config]]
    },
    { namespace: (config) => [config.namespace] },
  )
}

/** `./reviews`, `*\/*`, `~/*` (nothing), `reviews` (any namespace). */
function parseImport(text: string): Import {
  const slash = text.indexOf('/')
  return { namespace: slash < 0 ? '*' : text.slice(0, slash), host: text.slice(slash + 1) }
}

/** A list with `.` replaced by the workload's namespace: in the root namespace's Sidecar it means each workload's own. */
export function importsOf(imports: readonly Import[] | undefined, namespace: string): readonly Import[] | undefined {
  return imports?.map((entry) => (entry.namespace === '.' ? { ...entry, namespace } : entry))
}

/**
 * The Sidecar that holds for a workload: one that selects it, else the namespace's, else the root namespace's; among several the
 * oldest.
 */
export function sidecarFor(
  context: Context,
  inputs: Inputs,
  sidecars: Source<SidecarConfig>,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): SidecarConfig | undefined {
  const own = [...context.list(sidecars, 'namespace', namespace)].sort(byAge)
  const selecting = own.find((sidecar) => sidecar.selector && selects(sidecar.selector, labels))
  if (selecting) return selecting
  const wide = own.find((sidecar) => !sidecar.selector)
  if (wide) return wide
  const { rootNamespace } = settingsOf(context, inputs)
  if (rootNamespace === namespace) return undefined
  return [...context.list(sidecars, 'namespace', rootNamespace)].sort(byAge).find((sidecar) => !sidecar.selector)
}

/** Whether an import list covers a host of a namespace. */
export function importsHost(imports: readonly Import[] | undefined, namespace: string, host: string): boolean {
  if (!imports) return true
  return imports.some((entry) => (entry.namespace === '*' || entry.namespace === namespace) && hostsOverlap(entry.host, host))
}
