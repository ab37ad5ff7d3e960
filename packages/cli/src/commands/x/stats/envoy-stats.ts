/** `x envoy-stats`: Envoy's own statistics of a proxy, or of all proxies with a label. */
import { RESOURCE_TYPES } from '@lateen/api'
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { proxyAdmin } from '../../../cluster/envoy-admin.ts'
import { type PodObject, proxyContainerOf } from '../../../cluster/pods.ts'
import { type Context, command, verbatim } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { document } from '../../proxy-config/report.ts'
import { POD_ARGUMENT, PROXY_ADMIN_PORT } from '../../proxy-config/source.ts'
import { metricsPage } from './metrics-page.ts'

interface ProxyStats {
  readonly pod: string
  readonly body: string
}

export const envoyStats = command<unknown>({
  help: "Envoy's statistics of a proxy: of the server, or of its clusters. prom is the Prometheus format; prom-merged has the application's own metrics too.",
  args: [POD_ARGUMENT],
  flags: [
    { name: 'type', short: 't', value: 'TYPE', choices: ['server', 'cluster', 'clusters'], default: 'server', help: 'server or clusters' },
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      choices: ['short', 'json', 'yaml', 'prom', 'prom-merged'],
      default: 'short',
      help: 'short, json, yaml, prom or prom-merged',
    },
    { name: 'selector', short: 'l', value: 'LABELS', help: 'the proxies of all pods with these labels' },
    PROXY_ADMIN_PORT,
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen x envoy-stats POD.NAMESPACE',
    'lateen x envoy-stats deployment/cart.shop --type clusters',
    'lateen x envoy-stats POD.NAMESPACE -o prom-merged',
    'lateen x envoy-stats -l app=cart -n shop -o prom',
  ],
  run: (context) =>
    withCluster(context, async (cluster) => {
      const format = context.flags.text('output') ?? 'short'
      const isClusters = context.flags.text('type') !== 'server'
      if (isClusters && format.startsWith('prom')) {
        throw new CommandError('Envoy tells its clusters as text or JSON: use -o short, json or yaml with --type clusters', {
          exitCode: EXIT.usage,
        })
      }
      const pods = await podsOf(context, cluster)
      const port = context.flags.integer('proxy-admin-port')
      const stats = await Promise.all(pods.map((pod) => statsOf(cluster, pod, { format, isClusters, port })))
      if (format === 'short') return stats.map(titled).join('')
      if (format !== 'json' && format !== 'yaml') return textOf(stats)
      const data: unknown[] = stats.map(({ body }) => JSON.parse(body))
      return verbatim(
        document(context.flags, data.length === 1 ? data[0] : Object.fromEntries(stats.map(({ pod }, index) => [pod, data[index]]))),
      )
    }),
  render: (found) => (typeof found === 'string' ? found : ''),
})

/** As istioctl does it; formats for programs hold data alone. */
const titled = ({ pod, body }: ProxyStats): string => `\nThe result of pod ${pod.slice(0, pod.lastIndexOf('.'))}:\n\n${body}`

/** Names of pods as `name.namespace`. @throws CommandError when there is none */
async function podsOf({ args: [reference], flags }: Context, { client, namespace }: Cluster): Promise<string[]> {
  const labelSelector = flags.text('selector')
  if (reference !== undefined && labelSelector !== undefined)
    throw new CommandError('give a pod or --selector, not both', { exitCode: EXIT.usage })
  if (reference !== undefined) return [reference]
  if (labelSelector === undefined) throw new CommandError('stats requires pod name or label selector', { exitCode: EXIT.usage })
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, { namespace, labelSelector })
  const pods = items.filter((pod) => proxyContainerOf(pod) !== undefined).map(({ metadata }) => `${metadata.name}.${metadata.namespace}`)
  if (pods.length === 0) throw new CommandError(`no pod with labels ${labelSelector} in namespace ${namespace} has a proxy`)
  return pods
}

async function statsOf(
  cluster: Cluster,
  reference: string,
  { format, isClusters, port }: { format: string; isClusters: boolean; port: number | undefined },
): Promise<ProxyStats> {
  const admin = await proxyAdmin(cluster, reference, port)
  if (format === 'prom-merged') return { pod: admin.pod, body: await metricsPage(cluster, admin.pod, 'all') }
  if (format === 'prom') return { pod: admin.pod, body: await metricsPage(cluster, admin.pod, 'proxy') }
  const asData = format === 'json' || format === 'yaml' ? '?format=json' : ''
  const path = isClusters ? `clusters${asData}` : `stats${asData}`
  return { pod: admin.pod, body: await admin.ask('GET', path) }
}

const textOf = (stats: readonly ProxyStats[]): string =>
  stats.length === 1 ? (stats[0]?.body.trimEnd() ?? '') : stats.map(({ pod, body }) => `Stats of ${pod}:\n${body.trimEnd()}`).join('\n\n')
