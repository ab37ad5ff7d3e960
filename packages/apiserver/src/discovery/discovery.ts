/** Which kinds are served: the discovery documents, one by one and aggregated. */
import { groupVersion, type Kind } from '../registry/kind.ts'
import type { Registry } from '../registry/registry.ts'
import type { Obj } from '../values.ts'

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

const SUBRESOURCE_VERBS: Readonly<Record<string, readonly string[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  approval: ['get', 'patch', 'update'],
  ephemeralcontainers: ['get', 'patch', 'update'],
  resize: ['get', 'patch', 'update'],
  finalize: ['update'],
  log: ['get'],
  exec: ['create', 'get'],
  attach: ['create', 'get'],
  portforward: ['create', 'get'],
  proxy: ['create', 'delete', 'get', 'patch', 'update'],
  eviction: ['create'],
  binding: ['create'],
  token: ['create'],
}

interface KindName {
  readonly group: string
  readonly version: string
  readonly kind: string
}

function subresourceKind(kind: Kind, sub: string): KindName {
  switch (sub) {
    case 'scale':
      return kind.kind === 'ReplicationController' || kind.custom || kind.group === 'apps'
        ? { group: 'autoscaling', version: 'v1', kind: 'Scale' }
        : kind
    case 'eviction':
      return { group: 'policy', version: 'v1', kind: 'Eviction' }
    case 'token':
      return { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }
    case 'binding':
      return { group: '', version: 'v1', kind: 'Binding' }
    case 'exec':
      return { group: '', version: 'v1', kind: 'PodExecOptions' }
    case 'attach':
      return { group: '', version: 'v1', kind: 'PodAttachOptions' }
    case 'portforward':
      return { group: '', version: 'v1', kind: 'PodPortForwardOptions' }
    case 'proxy':
      return { group: '', version: 'v1', kind: `${kind.kind}ProxyOptions` }
    default:
      return kind
  }
}

const verbsOf = (kind: Kind) => (kind.virtual ? ['create'] : VERBS)

/** The order in which groups are listed, which is also the order in which short names are looked up. */
const GROUP_ORDER = [
  '',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
]

/** `v1` before `v1beta2` before `v1alpha1`, newer before older. */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text)
    if (!match) return undefined
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)] as const
  }
  const x = parse(a)
  const y = parse(b)
  if (!x || !y) return x ? -1 : y ? 1 : a < b ? -1 : 1
  for (let i = 0; i < 3; i++) {
    const difference = (y[i] ?? 0) - (x[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

export interface Group {
  readonly name: string
  readonly versions: readonly string[]
}

/** All groups but the core one, in listing order, each with its versions, preferred first. */
export function groupsOf(registry: Registry): Group[] {
  const versions = new Map<string, Set<string>>()
  for (const kind of registry.all()) {
    const known = versions.get(kind.group) ?? new Set()
    known.add(kind.version)
    versions.set(kind.group, known)
  }
  const rank = (name: string) => {
    const at = GROUP_ORDER.indexOf(name)
    return at < 0 ? GROUP_ORDER.length : at
  }
  return [...versions]
    .map(([name, set]) => ({ name, versions: [...set].sort(compareVersions) }))
    .sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1))
}

const groupEntry = (group: Group): Obj => {
  const versions = group.versions.map((version) => ({ groupVersion: groupVersion({ group: group.name, version }), version }))
  return { name: group.name, versions, preferredVersion: versions[0] }
}

export function apiGroupList(registry: Registry): Obj {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groupsOf(registry)
      .filter((g) => g.name !== '')
      .map(groupEntry),
  }
}

export function apiGroup(registry: Registry, name: string): Obj | undefined {
  const group = groupsOf(registry).find((g) => g.name === name)
  return group && name !== '' ? { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) } : undefined
}

export function apiVersions(address: string): Obj {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }] }
}

const inVersion = (registry: Registry, group: string, version: string) =>
  registry
    .all()
    .filter((k) => k.group === group && k.version === version)
    .sort((a, b) => (a.plural < b.plural ? -1 : 1))

/** The kinds of one version; `undefined` when nothing is served there. */
export function apiResourceList(registry: Registry, group: string, version: string): Obj | undefined {
  const kinds = inVersion(registry, group, version)
  if (kinds.length === 0) return undefined
  const resources: Obj[] = []
  for (const kind of kinds) {
    resources.push({
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: verbsOf(kind),
      ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
      ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
      ...(kind.virtual ? {} : { storageVersionHash: hash(`${kind.collection}/${kind.storageVersion}`) }),
    })
    for (const sub of kind.subresources) {
      const of = subresourceKind(kind, sub)
      resources.push({
        name: `${kind.plural}/${sub}`,
        singularName: '',
        namespaced: kind.namespaced,
        ...(of === kind ? {} : { group: of.group, version: of.version }),
        kind: of.kind,
        verbs: SUBRESOURCE_VERBS[sub] ?? ['get'],
      })
    }
  }
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: groupVersion({ group, version }), resources }
}

function hash(text: string): string {
  let h = 0n
  for (const byte of Buffer.from(text)) h = BigInt.asUintN(64, h * 1099511628211n + BigInt(byte) + 1n)
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(h)
  return bytes.toString('base64')
}

/** Everything in one document (`apidiscovery.k8s.io/v2`); the core group or all the others. */
export function aggregated(registry: Registry, core: boolean, documentVersion: string): Obj {
  const items = groupsOf(registry)
    .filter((g) => (g.name === '') === core)
    .map((group) => ({
      metadata: { name: group.name, creationTimestamp: null },
      versions: group.versions.map((version) => ({
        version,
        freshness: 'Current',
        resources: inVersion(registry, group.name, version).map((kind) => ({
          resource: kind.plural,
          responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
          scope: kind.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: kind.singular,
          verbs: verbsOf(kind),
          ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
          ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
          ...(kind.subresources.size > 0
            ? {
                subresources: [...kind.subresources].map((sub) => {
                  const of = subresourceKind(kind, sub)
                  return {
                    subresource: sub,
                    responseKind: { group: of.group, version: of.version, kind: of.kind },
                    verbs: SUBRESOURCE_VERBS[sub] ?? ['get'],
                  }
                }),
              }
            : {}),
        })),
      })),
    }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${documentVersion}`, metadata: {}, items }
}
