/**
 * Everything that is analysed, with indexes: resources by kind, by namespace and by name, and whatever analyzers derive once and
 * share (`index`). A world never changes.
 */
import { defaultMeshConfig, type MeshConfig, type MeshNetworks, type MeshProxyConfig } from '@lateen/api'
import type { KindName } from './kinds.ts'
import type { AnyResource, Resource } from './resource.ts'

export interface Settings {
  readonly meshConfig: MeshConfig & { readonly defaultConfig: MeshProxyConfig }
  readonly meshNetworks: MeshNetworks
  /** Milliseconds since 1970: certificates expire by it. */
  readonly now: number
  /** Host names of webhooks that were looked up and do not exist; what is not in it is taken to exist. */
  readonly unresolvableHosts: ReadonlySet<string>
  /** `PILOT_SCOPE_GATEWAY_TO_NAMESPACE`. */
  readonly scopeGatewayToNamespace: boolean
}

export const DEFAULT_SETTINGS: Settings = {
  meshConfig: defaultMeshConfig(),
  meshNetworks: {},
  now: 0,
  unresolvableHosts: new Set(),
  scopeGatewayToNamespace: false,
}

type ByKind = Map<KindName, Map<string, AnyResource>>

export class World {
  readonly settings: Settings
  readonly #byKind: ByKind = new Map()
  readonly #everyCluster: readonly AnyResource[]
  readonly #derived = new Map<unknown, unknown>()

  /**
   * Of several resources with one kind and name, the first counts: put files before live objects, and the own cluster before others.
   */
  constructor(resources: readonly AnyResource[], settings: Partial<Settings> = {}) {
    this.settings = { ...DEFAULT_SETTINGS, ...settings }
    this.#everyCluster = resources
    for (const resource of resources) {
      const named = this.#byKind.get(resource.kind) ?? new Map<string, AnyResource>()
      const key = keyOf(resource.namespace, resource.name)
      if (!named.has(key)) named.set(key, resource)
      this.#byKind.set(resource.kind, named)
    }
  }

  /** All resources of a kind, in the order in which they were given. */
  of<K extends KindName>(kind: K): readonly Resource<K>[] {
    // The map holds resources under their own kind only.
    return this.derive(kind, () => [...(this.#byKind.get(kind)?.values() ?? [])] as unknown as readonly Resource<K>[])
  }

  in<K extends KindName>(kind: K, namespace: string): readonly Resource<K>[] {
    const byNamespace = this.derive(`${kind} by namespace`, () => groupBy(this.of(kind), (resource) => resource.namespace))
    return byNamespace.get(namespace) ?? []
  }

  find<K extends KindName>(kind: K, namespace: string, name: string): Resource<K> | undefined {
    // As in `of`.
    return this.#byKind.get(kind)?.get(keyOf(namespace, name)) as Resource<K> | undefined
  }

  /** All resources of a kind in every cluster, equal names included. */
  inEveryCluster<K extends KindName>(kind: K): readonly Resource<K>[] {
    return this.#everyCluster.filter((resource) => resource.kind === kind) as unknown as readonly Resource<K>[]
  }

  /** What `build` makes of this world, made once. */
  index<T>(build: (world: World) => T): T {
    return this.derive(build, () => build(this))
  }

  private derive<T>(key: unknown, make: () => T): T {
    if (!this.#derived.has(key)) this.#derived.set(key, make())
    // Each key is used with one `make` only.
    return this.#derived.get(key) as T
  }
}

export function groupBy<T>(items: Iterable<T>, key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = key(item)
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  }
  return groups
}

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`
