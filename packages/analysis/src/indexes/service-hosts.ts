/**
 * Host names that services and ServiceEntries give to the mesh, with the scope in which each is seen: how a destination is found.
 */
import type { Labels } from '../kubernetes-views.ts'
import type { World } from '../world.ts'

/** What a destination may be: a Kubernetes Service or a ServiceEntry. */
export interface ServiceHost {
  readonly host: string
  readonly ports: readonly number[]
  /** Labels of the workloads behind it, of a ServiceEntry with a workload selector. */
  readonly workloadLabels: Labels
}

const EVERYWHERE = '*'
const OWN_NAMESPACE = '.'
const EXPORT_TO = 'networking.istio.io/exportTo'
const DOMAIN = 'svc.cluster.local'

/** A host of an object in `namespace`, fully qualified unless it is a wildcard or has a dot. */
export function fullHost(host: string, namespace: string): string {
  return host.startsWith('*') || host.includes('.') ? host : `${host}.${namespace}.${DOMAIN}`
}

/** `namespace/name` of the service that a host names from within `namespace`; of other hosts, `namespace/host`. */
export function serviceKey(host: string, namespace: string): string {
  const [, name, own] = /^(.+)\.([^.]+)\.svc\.cluster\.local$/.exec(host) ?? []
  return name === undefined ? `${namespace}/${host}` : `${own}/${name}`
}

/** What a host means to an object of `namespace` that is exported to `exportTo` (empty: everywhere); `undefined` when nothing. */
export function findServiceHost(
  world: World,
  {
    host,
    namespace,
    exportTo = [],
  }: { readonly host: string; readonly namespace: string; readonly exportTo?: readonly string[] | undefined },
): ServiceHost | undefined {
  const { exact, wildcards } = world.index(serviceHosts)
  const full = fullHost(host, namespace)
  const scopes = exportTo.length === 0 ? [namespace] : exportTo.map((scope) => (scope === OWN_NAMESPACE ? namespace : scope))
  for (const scope of [EVERYWHERE, ...scopes]) {
    const found = exact.get(scoped(scope, full))
    if (found) return found
  }
  const rest = host.startsWith('*') ? host.slice(1) : host
  return wildcards.find(({ scope, suffix }) => (scope === EVERYWHERE || scope === namespace) && rest.endsWith(suffix))?.service
}

interface ServiceHosts {
  readonly exact: ReadonlyMap<string, ServiceHost>
  readonly wildcards: readonly { readonly scope: string; readonly suffix: string; readonly service: ServiceHost }[]
}

function serviceHosts(world: World): ServiceHosts {
  const exact = new Map<string, ServiceHost>()
  for (const { namespace, spec } of world.of('ServiceEntry')) {
    const ports = (spec.ports ?? []).map(({ number }) => number ?? 0)
    const workloadLabels = spec.workloadSelector?.labels ?? {}
    for (const host of spec.hosts ?? []) {
      const full = fullHost(host, namespace)
      for (const scope of scopesOf(spec.exportTo ?? [], namespace)) exact.set(scoped(scope, full), { host: full, ports, workloadLabels })
    }
  }
  for (const { namespace, name, annotations, spec } of world.of('Service')) {
    const full = fullHost(name, namespace)
    const ports = spec.ports.map(({ port }) => port)
    const exportTo = annotations[EXPORT_TO] ? annotations[EXPORT_TO].split(',').map((scope) => scope.trim()) : []
    for (const scope of scopesOf(exportTo, namespace)) exact.set(scoped(scope, full), { host: full, ports, workloadLabels: {} })
  }
  const wildcards = [...exact].flatMap(([key, service]) =>
    service.host.startsWith('*') ? [{ scope: key.slice(0, key.indexOf('/')), suffix: service.host.slice(1), service }] : [],
  )
  return { exact, wildcards }
}

function scopesOf(exportTo: readonly string[], namespace: string): readonly string[] {
  if (exportTo.length === 0 || exportTo.includes(EVERYWHERE)) return [EVERYWHERE]
  return exportTo.map((scope) => (scope === OWN_NAMESPACE ? namespace : scope))
}

const scoped = (scope: string, host: string): string => `${scope}/${host}`
