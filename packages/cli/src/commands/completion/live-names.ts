/** Names of the cluster that a half-written command line means, for completion. */
import { KINDS, type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { askIstiods } from '../../cluster/istiod.ts'
import { type PodObject, typeOfWord } from '../../cluster/pods.ts'
import { at, list, text } from '../../config-dump/fields.ts'
import type { Flags } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { listTags } from '../tag/tags.ts'
import { WAYPOINT_CLASS } from '../waypoint/gateway.ts'
import type { Candidate, Surroundings } from './candidates.ts'

const TIMEOUT_MS = 1_800

/** The flags about the cluster among the words, as far as they are written. */
function flagsOf(words: readonly string[]): Flags {
  const given = (name: string): string | undefined => {
    const flag = KUBE_FLAGS.find((each) => each.name === name)
    const position = words.findIndex((word) => word === `--${name}` || word === `-${flag?.short}`)
    const inline = words.find((word) => word.startsWith(`--${name}=`))
    return inline?.slice(name.length + 3) ?? (position >= 0 && position < words.length - 1 ? words[position + 1] : undefined)
  }
  return {
    text: (name) => given(name) ?? (name === 'istioNamespace' ? 'istio-system' : undefined),
    integer: () => undefined,
    duration: () => TIMEOUT_MS,
    list: (name) => [given(name) ?? []].flat(),
    on: () => false,
    given: (name) => given(name) !== undefined,
  }
}

function ask<T>(words: readonly string[], { env, home }: Surroundings, body: (cluster: Cluster) => Promise<T>): Promise<T> {
  return withCluster({ flags: flagsOf(words), env, home }, body)
}

const MOST = 1_000

async function listed(cluster: Cluster, type: ResourceType, namespace?: string): Promise<KubeObject[]> {
  return (await cluster.client.list(type, { limit: MOST, ...(namespace ? { namespace } : {}) })).items
}

const named = (objects: readonly KubeObject[]): Candidate[] => objects.map(({ metadata }) => ({ name: metadata.name, meaning: '' }))

export const namespaceNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async (cluster) => named(await listed(cluster, RESOURCE_TYPES.Namespace)))

export const nodeNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async (cluster) => named(await listed(cluster, RESOURCE_TYPES.Node)))

export const serviceNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async (cluster) => named(await listed(cluster, RESOURCE_TYPES.Service, cluster.namespace)))

export const revisionNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async ({ client }) => {
    const tags = await listTags(client)
    return [...new Set(tags.map(({ revision }) => revision))].map((name) => ({ name, meaning: 'revision' }))
  })

export const tagNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async ({ client }) =>
    (await listTags(client)).filter(({ tag }) => tag !== '').map(({ tag, revision }) => ({ name: tag, meaning: `revision ${revision}` })),
  )

export const accountNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async (cluster) => named(await listed(cluster, RESOURCE_TYPES.ServiceAccount, cluster.istioNamespace)))

export const waypointNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async (cluster) => {
    const gateways = await listed(cluster, RESOURCE_TYPES.KubernetesGateway, cluster.namespace)
    return named(gateways.filter(({ spec }) => text(at(spec, 'gatewayClassName')).startsWith(WAYPOINT_CLASS)))
  })

/** Debug pages of the control plane. */
export const pageNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async (cluster) => {
    const { answers } = await askIstiods(cluster, '/debug/list')
    const pages: unknown = JSON.parse(answers[0]?.body ?? '[]')
    return list(pages).map((page) => ({ name: text(page), meaning: '' }))
  })

export const ztunnelNames = (words: readonly string[], around: Surroundings): Promise<Candidate[]> =>
  ask(words, around, async ({ client }) => {
    const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, { limit: MOST, labelSelector: 'app=ztunnel' })
    return items.map((pod) => ({ name: `${pod.metadata.name}.${pod.metadata.namespace}`, meaning: pod.spec?.nodeName ?? '' }))
  })

/** Kinds with pods, by the word that is written before the slash. */
const OWNERS: ReadonlyMap<string, ResourceType> = new Map(
  ['deployment', 'statefulset', 'daemonset', 'replicaset', 'job', 'service'].flatMap((word) => {
    const type = typeOfWord(word)
    return type ? [[word, type] as const] : []
  }),
)

/** Pods, and after `deployment/` the Deployments; those of other namespaces with theirs after the dot. */
export function podNames(current: string, words: readonly string[], around: Surroundings): Promise<Candidate[]> {
  return ask(words, around, async (cluster) => {
    const [word = '', name] = current.split('/')
    if (name !== undefined) return behindSlash(cluster, word, typeOfWord(word.toLowerCase()))
    const pods = (await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod, { limit: MOST })).items
    return [
      ...pods.map((pod) => ({ name: placed(cluster, pod), meaning: pod.status?.phase ?? '' })),
      ...[...OWNERS.keys()].map((each) => ({ name: `${each}/`, meaning: 'its first running pod' })),
    ]
  })
}

/** Kinds of configuration and of workloads; after the slash their objects. */
export async function kindOrObjectNames(current: string, words: readonly string[], around: Surroundings): Promise<Candidate[]> {
  const [word = '', name] = current.split('/')
  if (name === undefined) {
    const kinds = KINDS.map(({ kind }) => ({ name: kind.toLowerCase(), meaning: kind }))
    return [...kinds, ...[...OWNERS.keys()].map((each) => ({ name: `${each}/`, meaning: 'its proxies' }))]
  }
  return ask(words, around, (cluster) => behindSlash(cluster, word, configurationType(word) ?? typeOfWord(word.toLowerCase())))
}

/** Objects of a kind of configuration. */
export async function objectNames(word: string, words: readonly string[], around: Surroundings): Promise<Candidate[]> {
  const type = configurationType(word)
  return type ? ask(words, around, (cluster) => placedNames(cluster, type)) : []
}

function configurationType(word: string): ResourceType | undefined {
  const kind = KINDS.find((each) => [each.kind.toLowerCase(), each.plural].includes(word.toLowerCase()))
  return kind && Object.values(RESOURCE_TYPES).find((type) => type.kind === kind.kind && type.group === kind.group)
}

async function behindSlash(cluster: Cluster, word: string, type: ResourceType | undefined): Promise<Candidate[]> {
  return type ? (await placedNames(cluster, type)).map(({ name, meaning }) => ({ name: `${word}/${name}`, meaning })) : []
}

const placedNames = async (cluster: Cluster, type: ResourceType): Promise<Candidate[]> =>
  (await listed(cluster, type)).map((object) => ({ name: placed(cluster, object), meaning: '' }))

/** `name` in the namespace of the line, `name.namespace` elsewhere. */
const placed = ({ namespace }: Cluster, { metadata }: KubeObject): string =>
  metadata.namespace === namespace ? metadata.name : `${metadata.name}.${metadata.namespace}`

/** Contexts of the kubeconfig: read, not asked for. */
export async function contextNames(words: readonly string[], { env, home }: Surroundings): Promise<Candidate[]> {
  const [{ readFileSync }, { parse }, { homedir }, { join }, { homeAt }] = await Promise.all([
    import('node:fs'),
    import('yaml'),
    import('node:os'),
    import('node:path'),
    import('../../mesh/home.ts'),
  ])
  const given = flagsOf(words).text('kubeconfig') ?? env['KUBECONFIG']?.split(':')
  const paths = given === undefined ? [homeAt(home).kubeconfig, join(homedir(), '.kube/config')] : [given].flat()
  return paths.flatMap((path) => {
    try {
      const document: unknown = parse(readFileSync(path, 'utf8'), { maxAliasCount: 0 })
      const contexts = typeof document === 'object' && document !== null && 'contexts' in document ? document.contexts : []
      return Array.isArray(contexts)
        ? contexts.map((context: { name?: unknown }) => ({ name: String(context.name ?? ''), meaning: path }))
        : []
    } catch {
      return []
    }
  })
}
