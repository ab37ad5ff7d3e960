/** `x suggest-scope`: Sidecar objects from observed traffic, with what they save. */
import { ownerOfPod, readPod } from '@lateen/inject'
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { sortedYaml } from '../../../render/sorted-yaml.ts'
import { table } from '../../../render/table.ts'
import type { PodView } from '../../../routing/proxy-node.ts'
import { loadWorld, type World } from '../../../routing/world.ts'
import { type Context, command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { measured, type Suggestion, sidecarFor, type Workload, workloadsOf } from './suggestion.ts'
import { hostsByPrometheus, hostsByProxies } from './traffic.ts'

const WINDOW = /^\d{1,6}[smhdw]$/

export const suggestScope = command<readonly Suggestion[] | AsyncIterable<string>>({
  help: 'Suggests a Sidecar object for each workload, so that its proxies are sent only the services that they have called, and says what that saves. What was called is counted by the proxies since they started, for the endpoints of now; with --prometheus, by metrics of a longer time. Traffic that comes once a month is not seen: read the objects before you apply them.',
  flags: [
    { name: 'all-namespaces', short: 'A', help: 'workloads of all namespaces' },
    {
      name: 'by',
      value: 'SCOPE',
      choices: ['workload', 'namespace'],
      default: 'workload',
      help: 'one object for each workload, or for each namespace',
    },
    { name: 'prometheus', value: 'URL', help: 'ask this Prometheus instead of the proxies' },
    { name: 'window', value: 'DURATION', default: '1d', help: 'with --prometheus: the time until now, such as 12h or 30d' },
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      choices: ['table', 'yaml', 'json'],
      default: 'table',
      help: 'table of what is saved; yaml: the objects; json: both',
    },
    { name: 'use-kube', hidden: true, help: 'accepted: the cluster is asked' },
    { name: 'meshConfigFile', value: 'FILE', help: 'mesh configuration, instead of the one of the cluster' },
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen x suggest-scope -n shop',
    'lateen x suggest-scope -n shop -o yaml | kubectl apply --dry-run=server -f -',
    'lateen x suggest-scope -A --prometheus http://localhost:9090 --window 30d',
  ],
  async run(context) {
    const found = await suggestions(context)
    return context.flags.text('output') === 'yaml' ? documents(found) : found
  },
  render: (found) => (Symbol.asyncIterator in found ? '' : savings(found)),
})

async function suggestions(context: Context): Promise<readonly Suggestion[]> {
  const { flags, progress } = context
  const world = await loadWorld(context, [])
  return withCluster(context, async (cluster) => {
    const all = flags.on('all-namespaces')
    const pods = world.pods.filter(({ role, ready, namespace }) => role === 'sidecar' && ready && (all || namespace === cluster.namespace))
    if (pods.length === 0)
      throw new CommandError(`no pod with a sidecar is ready${all ? '' : ` in namespace ${cluster.namespace}; other namespaces: -n or -A`}`)
    const workloads = workloadsOf(pods, flags.text('by') === 'namespace' ? 'namespace' : 'workload')
    const called = await calledBy(cluster, context, workloads, pods)
    const silent = workloads.filter((workload) => (called.get(workload)?.size ?? 0) === 0)
    for (const { name, namespace } of silent) progress.note(`${name}.${namespace} has called nothing yet: no object is suggested for it`)
    return measured(world, suggestedFor(workloads, called, world, cluster.istioNamespace))
  })
}

function suggestedFor(
  workloads: readonly Workload[],
  called: ReadonlyMap<Workload, ReadonlySet<string>>,
  world: World,
  istioNamespace: string,
) {
  return workloads.flatMap((workload) => {
    const hosts = called.get(workload) ?? new Set()
    return hosts.size === 0 ? [] : [{ workload, sidecar: sidecarFor(workload, hosts, world, istioNamespace) }]
  })
}

async function calledBy(
  cluster: Cluster,
  { flags, progress }: Context,
  workloads: readonly Workload[],
  pods: readonly PodView[],
): Promise<Map<Workload, Set<string>>> {
  const server = flags.text('prometheus')
  if (!server) {
    const byPod = await hostsByProxies(cluster, pods, (text) => progress.note(text))
    return new Map(workloads.map((workload) => [workload, new Set(workload.pods.flatMap((pod) => byPod.get(pod) ?? []))]))
  }
  const window = flags.text('window') ?? '1d'
  if (!WINDOW.test(window)) throw new CommandError(`--window ${window}: a time such as 12h or 30d is wanted`, { exitCode: EXIT.usage })
  const byWorkload = await hostsByPrometheus(server, window, cluster.timeoutMs)
  const hostsOf = (pod: PodView) => [...byWorkload].flatMap(([key, hosts]) => (isOf(pod, key) ? [...hosts] : []))
  return new Map(workloads.map((workload) => [workload, new Set(workload.pods.flatMap(hostsOf))]))
}

/** Metrics name the workload by what owns the pod. */
function isOf(pod: PodView, key: string): boolean {
  const read = readPod(pod.object)
  return 'pod' in read && key === `${pod.namespace}/${ownerOfPod(read.pod).name}`
}

async function* documents(found: readonly Suggestion[]): AsyncGenerator<string> {
  for (const [index, { sidecar }] of found.entries()) yield `${index > 0 ? '---\n' : ''}${sortedYaml(sidecar)}`
}

function savings(found: readonly Suggestion[]): string {
  if (found.length === 0) return 'nothing to suggest: no workload has called a service yet'
  const rows = found.map((each) => [
    each.workload,
    each.namespace,
    String(each.proxies),
    `${each.clusters.before} -> ${each.clusters.after}`,
    `${kilobytes(each.configuration.before)} -> ${kilobytes(each.configuration.after)}`,
    megabytes(each.memorySaved),
    megabytes(each.memorySaved * each.proxies),
  ])
  const headings = ['SIDECAR', 'NAMESPACE', 'PROXIES', 'CLUSTERS', 'CONFIGURATION', 'MEMORY SAVED BY ONE', 'BY ALL']
  return `${table(headings, rows)}\n\nThe objects: the same command with -o yaml. Memory is an estimate of 54 KB for each cluster.`
}

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KB`
const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`
