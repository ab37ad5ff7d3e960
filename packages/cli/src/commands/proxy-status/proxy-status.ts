/** `proxy-status`: whether every proxy has the configuration that the control plane has for it. */
import { withCluster } from '../../cluster/connect.ts'
import { askControlPlanes } from '../../cluster/control-planes.ts'
import { proxyAdmin } from '../../cluster/envoy-admin.ts'
import { findPod } from '../../cluster/pods.ts'
import { type ConfigDump, readConfigDump } from '../../config-dump/dump.ts'
import { readDumpFile } from '../../input/read-dump.ts'
import { humanDuration } from '../../render/human-duration.ts'
import { paddedTable } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { XDS_FLAGS } from '../../shell/xds-flags.ts'
import { wantsData } from '../proxy-config/report.ts'
import { PROXY_ADMIN_PORT } from '../proxy-config/source.ts'
import { type ClientStatuses, clientStatuses } from './client-statuses.ts'
import { comparison } from './comparison.ts'
import { difference, type KindDifference } from './difference.ts'
import { type ProxyState, readSyncStatus, type TypeState } from './sync-status.ts'

interface Overview {
  readonly proxies: readonly ProxyState[]
  readonly faults: readonly string[]
  /** A column for each type, with the time of its last push. */
  readonly detail: boolean
}

interface OneProxy {
  readonly proxy: ProxyState
  readonly differences: readonly KindDifference[]
}

/** The same for people. */
interface ComparedText {
  readonly lines: readonly string[]
}

export const proxyStatus = command<Overview | OneProxy | ComparedText | ClientStatuses | string>({
  help: 'Without a pod: for every connected proxy and type of configuration, whether it has what was last sent, and why it was refused. With a pod: how what it holds differs from what it was sent.',
  args: [{ name: 'pod', help: '[<type>/]<name>[.<namespace>]', optional: true }],
  flags: [
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json', 'yaml'], default: 'table', help: 'table, json or yaml' },
    { name: 'file', value: 'FILE', help: "the proxy's config dump, instead of asking the pod" },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'only control planes of this revision' },
    {
      name: 'verbosity',
      short: 'v',
      value: 'N',
      type: 'integer',
      default: 0,
      help: '1: a column for every type, with the age of the last push',
    },
    { name: 'all-namespaces', short: 'A', help: 'accepted: all namespaces are shown unless --namespace is given' },
    PROXY_ADMIN_PORT,
    ...XDS_FLAGS,
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen proxy-status',
    'lateen proxy-status -n shop -v 1',
    'lateen proxy-status -o json',
    'lateen proxy-status deployment/reviews-v1.shop',
  ],
  run: (context) => (context.args[0] === undefined ? overview(context) : oneProxy(context, context.args[0])),
  render: (found) => {
    if (typeof found === 'string') return found
    if ('lines' in found) return found.lines.join('\n')
    return 'proxies' in found ? overviewText(found) : ''
  },
})

async function overview(context: Context): Promise<Overview | ClientStatuses> {
  return withCluster(context, async (cluster) => {
    const { answers, faults } = await askControlPlanes(context, cluster, '/debug/syncz')
    const only = context.flags.given('namespace') ? `.${cluster.namespace}` : ''
    const proxies = readSyncStatus(answers).filter(({ proxy }) => proxy.endsWith(only))
    if (!wantsData(context.flags)) {
      if (proxies.length > 0) return { proxies, faults, detail: (context.flags.integer('verbosity') ?? 0) > 0 }
      const where = only === '' ? '' : ` in namespace ${cluster.namespace}`
      throw new CommandError([`no proxies found${where} (checked ${answers.length} istiods)`, ...faults].join('; '))
    }
    for (const fault of faults) context.progress.note(fault)
    return clientStatuses(proxies)
  })
}

function overviewText({ proxies, faults, detail }: Overview): string {
  const refusals = proxies.flatMap(({ proxy, types }) =>
    types.flatMap(({ type, error }) => (error ? [`${proxy}: ${type} refused: ${error}`] : [])),
  )
  const behind = detail
    ? []
    : proxies.flatMap(({ proxy, types }) => types.filter(isBehind).map((type) => `${proxy}: ${type.type} ${cellOf(type)}`))
  const remarks = [...refusals, ...behind, ...faults]
  return [detail ? detailTable(proxies) : summaryTable(proxies), ...(remarks.length > 0 ? ['', ...remarks] : [])].join('\n')
}

/** Types that went out and were not taken; a refusal is told with its reason. */
const isBehind = ({ state, error }: TypeState): boolean => state.startsWith('STALE') && !error

function summaryTable(proxies: readonly ProxyState[]): string {
  const rows = proxies.map(({ proxy, cluster, istiod, version, types }) => [
    proxy,
    cluster,
    istiod,
    version,
    `${types.length}${types.length > 0 ? ` (${types.map(({ type }) => type).join(',')})` : ''}`,
  ])
  return paddedTable(['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'SUBSCRIBED TYPES'], rows, PADDING)
}

const PADDING = 5
const COLUMNS = ['CDS', 'LDS', 'EDS', 'RDS', 'ECDS']

function detailTable(proxies: readonly ProxyState[]): string {
  const columns = [...new Set([...COLUMNS, ...proxies.flatMap(({ types }) => types.map(({ type }) => type))])]
  const rows = proxies.map(({ proxy, cluster, istiod, version, types }) => [
    proxy,
    cluster,
    ...columns.map((name) => cellOf(types.find(({ type }) => type === name))),
    istiod,
    version,
  ])
  return paddedTable(['NAME', 'CLUSTER', ...columns, 'ISTIOD', 'VERSION'], rows, PADDING)
}

function cellOf(state: TypeState | undefined): string {
  // As istioctl: what a proxy does not ask for is not missing.
  if (!state) return 'IGNORED'
  const shown = state.error ? 'ERROR' : state.state
  return state.sentAt === undefined ? shown : `${shown} (${humanDuration(Date.now() - Date.parse(state.sentAt))})`
}

async function oneProxy(context: Context, reference: string): Promise<OneProxy | ComparedText | string> {
  return withCluster(context, async (cluster) => {
    const { metadata } = await findPod(cluster.client, reference, cluster.namespace)
    if (metadata.labels?.['app'] === 'ztunnel') {
      return `Sync diff is not available for ztunnel pod ${metadata.name}.${metadata.namespace}`
    }
    const admin = await proxyAdmin(cluster, reference, context.flags.integer('proxy-admin-port'))
    const file = context.flags.text('file')
    const held = readConfigDump(file === undefined ? await admin.ask('GET', 'config_dump') : readDumpFile(file), file ?? `pod ${admin.pod}`)
    const [status, dumps] = await Promise.all([
      askControlPlanes(context, cluster, '/debug/syncz'),
      askControlPlanes(context, cluster, `/debug/config_dump?proxyID=${encodeURIComponent(admin.pod)}`).catch(() => undefined),
    ])
    const proxy = readSyncStatus(status.answers).find((each) => each.proxy === admin.pod)
    const answer = dumps?.answers.find(({ istiod }) => istiod === proxy?.istiod)
    if (!proxy || !answer) {
      throw new CommandError(
        `no control plane has a connection of ${admin.pod}: see kubectl logs ${admin.pod.split('.')[0]} -c istio-proxy`,
      )
    }
    const sent = readConfigDump(answer.body, answer.istiod)
    if (wantsData(context.flags)) return { proxy, differences: await difference(sent, dynamicPart(held)) }
    const refusals = proxy.types.flatMap(({ type, error }) => (error ? [`${type} refused: ${error}`] : []))
    return { lines: [...(await comparison(sent, dynamicPart(held))), ...refusals] }
  })
}

/** What a proxy has of its bootstrap was never sent. */
function dynamicPart(dump: ConfigDump): ConfigDump {
  return {
    ...dump,
    section: (name) => {
      const section = dump.section(name)
      return Object.fromEntries(Object.entries(section).filter(([field]) => !field.startsWith('static_')))
    },
  }
}
