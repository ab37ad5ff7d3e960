/** Objects of a cluster for analysis: all kinds listed at once, and what could not be read. */
import { type AnyResource, isIstioKind, isSystemNamespace, KIND_TYPES, type KindName, readResource } from '@lateen/analysis'
import type { KubeObject } from '@lateen/api'
import { ConnectionError, isNotFound, type KubeClient, type ListOptions } from '@lateen/kube'

export interface LiveResources {
  readonly resources: readonly AnyResource[]
  /** Kinds that could not be read: analyzers that need them are skipped. */
  readonly unavailable: ReadonlySet<KindName>
  /** One line for each of those, with the reason. */
  readonly problems: readonly string[]
}

export interface LiveOptions {
  readonly kinds: readonly KindName[]
  readonly istioNamespace: string
  /** Objects of Istio's kinds count when they are of this revision, or of none. */
  readonly revision: string
  /** What the cluster is called, when several are looked at. */
  readonly cluster?: string
}

const PAGE = 500
const MOST_PAGES = 400

export async function readLiveResources(client: KubeClient, options: LiveOptions): Promise<LiveResources> {
  const lists = await Promise.all(options.kinds.map((kind) => readKind(client, kind, options)))
  const refused = lists.filter((list) => list.error !== undefined)
  // Where nothing may be read, nothing has been analysed: finding nothing wrong would be a lie.
  if (refused.length === lists.length && refused[0]) throw refused[0].error
  return {
    resources: lists.flatMap(({ resources }) => resources),
    unavailable: new Set(refused.map(({ kind }) => kind)),
    problems: problemsOf(refused, options),
  }
}

/** One line for each reason. */
function problemsOf(refused: readonly KindList[], { cluster }: LiveOptions): string[] {
  const byReason = Map.groupBy(refused, ({ error }) => (error instanceof Error ? error.message : String(error)))
  const where = cluster === undefined ? '' : ` of cluster ${cluster}`
  return Array.from(byReason, ([reason, lists]) => {
    const kinds = lists.map(({ kind }) => KIND_TYPES[kind].plural).join(', ')
    return `cannot read ${kinds}${where}: ${reason}; what needs them is not analysed`
  })
}

interface KindList {
  readonly kind: KindName
  readonly resources: readonly AnyResource[]
  /** Why they could not be read. */
  readonly error?: unknown
}

async function readKind(client: KubeClient, kind: KindName, options: LiveOptions): Promise<KindList> {
  try {
    const objects = await listAll(client, kind, options.istioNamespace)
    const origin = options.cluster === undefined ? {} : { cluster: options.cluster }
    const resources = objects.flatMap((object) => readResource(object, { origin }) ?? [])
    return { kind, resources: resources.filter((resource) => counts(resource, options)) }
  } catch (error) {
    // A kind that is not served has no objects.
    if (isNotFound(error)) return { kind, resources: [] }
    // Without an answer there is nothing to analyse at all.
    if (error instanceof ConnectionError) throw error
    return { kind, resources: [], error }
  }
}

async function listAll(client: KubeClient, kind: KindName, istioNamespace: string): Promise<KubeObject[]> {
  const type = KIND_TYPES[kind]
  const objects: KubeObject[] = []
  let page: ListOptions = { limit: PAGE, ...SELECTORS[kind], ...(kind === 'ConfigMap' && { namespace: istioNamespace }) }
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const list = await client.list(type, page)
    objects.push(...list.items)
    if (!list.continue) return objects
    page = { ...page, continue: list.continue }
  }
  throw new Error(`there are more than ${PAGE * MOST_PAGES}`)
}

/** Releases of Helm and tokens of service accounts are large and nobody's credential. */
const SELECTORS: Partial<Record<KindName, ListOptions>> = {
  Secret: { fieldSelector: 'type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token' },
}

const REVISION = 'istio.io/rev'

function counts(resource: AnyResource, { revision }: LiveOptions): boolean {
  if (isSystemNamespace(resource.kind === 'Namespace' ? resource.name : resource.namespace)) return false
  if (resource.kind === 'ConfigMap') return resource.name.startsWith('istio')
  const own = resource.labels[REVISION]
  return !isIstioKind(resource.kind) || own === undefined || own === revision
}
