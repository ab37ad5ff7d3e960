/** What goes into a report, in istioctl's places, as items that are read when their turn comes. */
import { RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../cluster/connect.ts'
import { proxyAdmin } from '../../cluster/envoy-admin.ts'
import { askIstiod, askIstiods } from '../../cluster/istiod.ts'
import { type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { at, list, number, text } from '../../config-dump/fields.ts'
import { PRODUCT_VERSION } from '../../product.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { AnalysisOutput, renderLog } from '../analyze/output.ts'
import { findingsOfCluster } from '../analyze/whole-cluster.ts'
import { readVersion } from '../mesh-versions.ts'
import { readSyncStatus } from '../proxy-status/sync-status.ts'
import { clusterItems } from './cluster-objects.ts'
import type { Item } from './item.ts'
import { type LogWindow, readLog } from './logs.ts'
import { coresItem, netstatItem } from './processes.ts'
import { withoutKeys } from './redact.ts'
import { type Choice, chosenContainers } from './selection.ts'

export interface Scope {
  readonly include: readonly Choice[]
  readonly exclude: readonly Choice[]
  readonly window: LogWindow
  readonly fullSecrets: boolean
  readonly proxyAdminPort: number
  readonly skip: {
    readonly clusterDump: boolean
    readonly analysis: boolean
    readonly proxyDebug: boolean
    readonly netstat: boolean
    readonly coreDumps: boolean
  }
}

const DEBUG_PAGES = [
  ...['adsz', 'authorizationz', 'configz', 'connections', 'endpointz', 'endpointShardz', 'inject', 'mesh', 'networkz', 'push_status'],
  ...['registryz', 'resourcesz', 'syncz'],
]
const PROXY_PAGES = ['certs', 'clusters', 'config_dump?include_eds', 'listeners', 'memory', 'runtime', 'server_info', 'stats/prometheus']

/** In the order in which they are read: analysis asks for much, and comes last. @param folder where core dumps are kept meanwhile */
export async function itemsOf(cluster: Cluster, scope: Scope, folder: string): Promise<Item[]> {
  const { client, istioNamespace } = cluster
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod)
  const istiods = items.filter(({ metadata }) => metadata.namespace === istioNamespace && metadata.labels?.['app'] === 'istiod')
  const chosen = items
    .filter((pod) => !istiods.includes(pod) && proxyContainerOf(pod) !== undefined)
    .map((pod) => ({ pod, containers: chosenContainers(pod, containersOf(pod), scope) }))
  return [
    { path: 'versions', read: () => versions(cluster) },
    ...(scope.skip.clusterDump ? [] : clusterItems(cluster, scope)),
    ...istiods.flatMap((pod) => istiodItems(cluster, pod, scope)),
    ...chosen.flatMap(({ pod, containers }) => proxyItems(cluster, { pod, containers, scope, folder })),
    ...(scope.skip.analysis ? [] : [{ path: 'analyze/allNamespaces/allNamespaces', read: () => analysis(cluster) }]),
  ]
}

const containersOf = ({ spec }: PodObject): string[] =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ name }) => name)

/** What control planes do not say is left out: the version of this program is known in any case. */
async function versions(cluster: Cluster): Promise<string> {
  const nothing = (error: unknown) => ({ answers: [], faults: [error instanceof Error ? error.message : String(error)] })
  const [builds, synced] = await Promise.all([
    askIstiods(cluster, '/version').catch(nothing),
    askIstiods(cluster, '/debug/syncz').catch(nothing),
  ])
  const proxies = Map.groupBy(readSyncStatus(synced.answers), ({ version }) => version)
  return [
    `lateen ${PRODUCT_VERSION}`,
    ...builds.answers.map(({ istiod, revision, body }) => `control plane ${istiod}, revision ${revision}: ${readVersion(body).version}`),
    ...[...proxies].map(([version, { length }]) => `proxies with version ${version}: ${length}`),
    ...builds.faults,
    '',
  ].join('\n')
}

async function analysis(cluster: Cluster): Promise<string> {
  const findings = await findingsOfCluster(cluster, new Date())
  return findings.length === 0 ? 'nothing was found\n' : `${renderLog(new AnalysisOutput(findings, false))}\n`
}

function istiodItems(cluster: Cluster, pod: PodObject, scope: Scope): Item[] {
  const { name, namespace = cluster.istioNamespace } = pod.metadata
  const folder = `istio/${namespace}/${name}`
  return [
    ...logItems(cluster, pod, { folder, containers: containersOf(pod), window: scope.window }),
    ...[...DEBUG_PAGES.map((page) => `debug/${page}`), 'metrics'].map((page) => ({
      path: `${folder}/${page}`,
      read: async () => {
        const answer = await askIstiod(cluster, pod, `/${page}`)
        if (typeof answer === 'string') throw new CommandError(answer)
        return withoutKeys(answer.body)
      },
    })),
  ]
}

interface LogsOf {
  readonly folder: string
  readonly containers: readonly string[]
  readonly window: LogWindow
}

function logItems({ client }: Cluster, pod: PodObject, { folder, containers, window }: LogsOf): Item[] {
  const { name, namespace = 'default' } = pod.metadata
  const statuses = [...list(at(pod.status, 'initContainerStatuses')), ...list(at(pod.status, 'containerStatuses'))]
  return containers.map((container) => {
    const restarts = number(
      at(
        statuses.find((status) => text(at(status, 'name')) === container),
        'restartCount',
      ),
    )
    return {
      path: `${folder}/${container}.log`,
      read: async () => withoutKeys(await readLog(client, { namespace, pod: name, container, hasEnded: restarts > 0 }, window)),
      isLog: true,
    }
  })
}

interface Chosen {
  readonly pod: PodObject
  readonly containers: readonly string[]
  readonly scope: Scope
  readonly folder: string
}

function proxyItems(cluster: Cluster, { pod, containers, scope, folder: kept }: Chosen): Item[] {
  const { name, namespace = 'default', labels } = pod.metadata
  const folder = `proxies/${namespace}/${name}`
  const logs = logItems(cluster, pod, { folder, containers, window: scope.window })
  const container = proxyContainerOf(pod)
  if (!container || !containers.includes(container) || pod.status?.phase !== 'Running') return logs
  const place = { namespace, pod: name, container }
  const isZtunnel = labels?.['app'] === 'ztunnel'
  const pages = isZtunnel ? ['config_dump'] : PROXY_PAGES
  const ask = async (page: string) => (await proxyAdmin(cluster, `${name}.${namespace}`, scope.proxyAdminPort)).ask('GET', page)
  return [
    ...logs,
    ...(scope.skip.netstat ? [] : [netstatItem(cluster, place, `${folder}/netstat`)]),
    ...(scope.skip.coreDumps || isZtunnel ? [] : [coresItem(cluster, place, { path: `${folder}/cores`, folder: kept })]),
    ...(scope.skip.proxyDebug ? [] : pages).map((page) => ({
      path: `${folder}/${page.replace(/\?.*/, '')}`,
      read: async () => withoutKeys(await ask(page)),
    })),
  ]
}
