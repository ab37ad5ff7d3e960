/** What goes into a report, as files that are read when their turn comes. */
import { type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import type { Cluster } from '../../cluster/connect.ts'
import { proxyAdmin } from '../../cluster/envoy-admin.ts'
import { askIstiods } from '../../cluster/istiod.ts'
import { type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { fields } from '../../config-dump/fields.ts'
import { PRODUCT_VERSION } from '../../product.ts'
import { sortedYaml } from '../../render/sorted-yaml.ts'
import { AnalysisOutput, renderLog } from '../analyze/output.ts'
import { findingsOfCluster } from '../analyze/whole-cluster.ts'
import { type LogWindow, readLog } from './logs.ts'
import { type Choice, chosenContainers, isChosen } from './selection.ts'

export interface Item {
  /** Below the archive's folder. */
  readonly path: string
  read(): Promise<string>
  readonly isLog?: true
}

export interface Scope {
  readonly include: readonly Choice[]
  readonly exclude: readonly Choice[]
  readonly window: LogWindow
  readonly fullSecrets: boolean
  readonly skip: { readonly clusterDump: boolean; readonly analysis: boolean; readonly proxyDebug: boolean }
}

const DEBUG_PAGES = ['syncz', 'adsz', 'configz', 'registryz', 'endpointz', 'mesh', 'networkz', 'connections', 'push_status']
const PROXY_PAGES = ['config_dump?include_eds', 'clusters', 'listeners', 'certs', 'memory', 'server_info', 'runtime', 'stats/prometheus']

/** In the order in which they are read. */
export async function itemsOf(cluster: Cluster, scope: Scope): Promise<Item[]> {
  const { client, istioNamespace } = cluster
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod)
  const istiods = items.filter(({ metadata }) => metadata.namespace === istioNamespace && metadata.labels?.['app'] === 'istiod')
  const chosen = items.filter((pod) => !istiods.includes(pod) && isChosen(pod, scope.include, scope.exclude))
  const proxies = chosen.filter((pod) => proxyContainerOf(pod) !== undefined)
  return [
    { path: 'versions.yaml', read: () => versions(cluster) },
    ...(scope.skip.clusterDump ? [] : objectItems(cluster, scope)),
    ...(scope.skip.analysis ? [] : [{ path: 'analysis.txt', read: () => analysis(cluster) }]),
    ...istiods.flatMap((pod) => [...logItems(cluster, pod, `istio/${pod.metadata.name}`, scope)]),
    ...[...DEBUG_PAGES.map((page) => `debug/${page}`), 'metrics'].map((page) => istiodItem(cluster, page)),
    ...proxies.flatMap((pod) => proxyItems(cluster, pod, scope)),
  ]
}

async function versions({ client }: Cluster): Promise<string> {
  return sortedYaml({ lateen: PRODUCT_VERSION, kubernetes: await client.request('GET', '/version'), node: process.version })
}

/** All kinds that a mesh is made of; Secrets without what they hold. */
function objectItems({ client }: Cluster, { fullSecrets }: Scope): Item[] {
  const workloads = ['deployments', 'statefulsets', 'daemonsets', 'replicasets'].map(
    (plural): ResourceType => ({ group: 'apps', version: 'v1', kind: plural, plural, namespaced: true }),
  )
  const types = new Map([...Object.values(RESOURCE_TYPES), ...workloads].map((type) => [`${type.plural}.${type.group}`, type]))
  return [...types].map(([name, type]) => ({
    path: `cluster/${name.replace(/\.$/, '')}.yaml`,
    read: async () => {
      const { items } = await client.list(type).catch((error: unknown) => {
        if (isNotFound(error)) return { items: [] as KubeObject[] }
        throw error
      })
      const shown = type.kind === 'Secret' && !fullSecrets ? items.map(redacted) : items
      return shown.map((object) => sortedYaml(withoutNoise(object))).join('---\n')
    },
  }))
}

function redacted(secret: KubeObject): KubeObject {
  const hidden = (value: unknown) =>
    Object.fromEntries(Object.entries(fields(value)).map(([key, text]) => [key, `(${String(text).length} characters)`]))
  const { metadata } = secret
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...annotations } = metadata.annotations ?? {}
  return { ...secret, metadata: { ...metadata, annotations }, data: hidden(secret['data']), stringData: hidden(secret['stringData']) }
}

function withoutNoise(object: KubeObject): unknown {
  const { managedFields: _, ...metadata } = fields(object.metadata)
  return { ...object, metadata }
}

async function analysis(cluster: Cluster): Promise<string> {
  const findings = await findingsOfCluster(cluster, new Date())
  return findings.length === 0 ? 'nothing was found\n' : `${renderLog(new AnalysisOutput(findings, false))}\n`
}

const istiodItem = (cluster: Cluster, page: string): Item => ({
  path: `istio/${page}.txt`,
  read: async () => {
    const { answers, faults } = await askIstiods(cluster, `/${page}`)
    return [...answers.map(({ istiod, body }) => (answers.length > 1 ? `# ${istiod}\n${body}` : body)), ...faults].join('\n')
  },
})

function logItems({ client }: Cluster, pod: PodObject, folder: string, { include, window }: Scope): Item[] {
  const { name, namespace = 'default' } = pod.metadata
  const names = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((container) => container.name)
  return chosenContainers(names, include).map((container) => ({
    path: `${folder}/${container}.log`,
    read: () => readLog(client, { namespace, pod: name, container }, window),
    isLog: true,
  }))
}

function proxyItems(cluster: Cluster, pod: PodObject, scope: Scope): Item[] {
  const { name, namespace = 'default' } = pod.metadata
  const folder = `proxies/${namespace}/${name}`
  const ask = (page: string) => async () => (await proxyAdmin(cluster, `${name}.${namespace}`)).ask('GET', page)
  const pages = pod.status?.phase === 'Running' && !scope.skip.proxyDebug ? PROXY_PAGES : []
  return [
    ...logItems(cluster, pod, folder, scope),
    ...pages.map((page) => ({ path: `${folder}/${page.replace(/\?.*/, '').replace('/', '-')}`, read: ask(page) })),
  ]
}
