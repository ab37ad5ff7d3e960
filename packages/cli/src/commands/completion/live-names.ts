/** Names of the cluster that a half-written command line means, for completion. */
import { type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import type { PodObject } from '../../cluster/pods.ts'
import type { Flags } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { listTags } from '../tag/tags.ts'
import type { Candidate, Surroundings } from './candidates.ts'

const TIMEOUT_MS = 2_000

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

/** Kinds of workloads, by the word that is written before the slash. */
const TYPES: Readonly<Record<string, ResourceType>> = Object.fromEntries(
  (
    [
      ['deployment', 'Deployment'],
      ['statefulset', 'StatefulSet'],
      ['daemonset', 'DaemonSet'],
    ] as const
  ).map(([word, kind]) => [word, { group: 'apps', version: 'v1', kind, plural: `${word}s`, namespaced: true }]),
)

/** Pods of the namespace, and after `deployment/` the Deployments. In another namespace: after the dot. */
export function podNames(current: string, words: readonly string[], around: Surroundings): Promise<Candidate[]> {
  return ask(words, around, async (cluster) => {
    const [word = '', name] = current.split('/')
    const type = name === undefined ? undefined : TYPES[word]
    if (name !== undefined) {
      return type ? named(await listed(cluster, type, cluster.namespace)).map((each) => ({ ...each, name: `${word}/${each.name}` })) : []
    }
    const pods = (await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod, { limit: MOST })).items
    const own = pods
      .filter(({ metadata }) => metadata.namespace === cluster.namespace)
      .map((pod) => ({ name: pod.metadata.name, meaning: pod.status?.phase ?? '' }))
    const elsewhere = pods
      .filter(({ metadata }) => metadata.namespace !== cluster.namespace)
      .map((pod) => ({ name: `${pod.metadata.name}.${pod.metadata.namespace}`, meaning: pod.status?.phase ?? '' }))
    return [...own, ...elsewhere, ...Object.keys(TYPES).map((each) => ({ name: `${each}/`, meaning: 'its first running pod' }))]
  })
}

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
