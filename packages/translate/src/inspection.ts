/** What the mesh makes of the configuration, for debug pages: read as it stands, tracked by nobody. */
import type { KubeObject } from '@lateen/api'
import type { Graph, Source } from '@lateen/graph'
import type { AuthorizationPolicy, Endpoint, Inputs, MeshModel, Service } from '@lateen/model'

export interface MeshInspection {
  /** From Kubernetes Services and from ServiceEntries, by host. */
  services(): readonly Service[]
  /** Endpoints of one port of a service, by address. */
  endpoints(service: Service, port: number): readonly Endpoint[]
  authorizationPolicies(): readonly AuthorizationPolicy[]
  /** The object that is in force, undefined when it was refused, or is not there. `kind`: `networking.istio.io/VirtualService`. */
  object(kind: string, namespace: string, name: string): KubeObject | undefined
}

export function inspect(graph: Graph, inputs: Inputs, model: MeshModel): MeshInspection {
  return {
    services: () => {
      const all = [...valuesOf(model.kubernetesServices), ...valuesOf(model.serviceEntries)]
      return all.sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0))
    },
    endpoints: (service, port) => {
      const watch = graph.watch(model.endpoints, `${service.key}|${port}`, () => undefined)
      const found = watch.value()
      watch.close()
      return found
    },
    authorizationPolicies: () => valuesOf(model.authorizationPolicies),
    object: (kind, namespace, name) => kindIn(inputs, kind)?.peek(namespace === '' ? name : `${namespace}/${name}`),
  }
}

function kindIn(inputs: Inputs, kind: string): Source<KubeObject> | undefined {
  const found = Object.entries(inputs.kinds).find(([name]) => name === kind)
  return found?.[1]
}

function valuesOf<V>(source: Source<V>): V[] {
  return [...source.keys()].sort().flatMap((key) => source.peek(key) ?? [])
}
