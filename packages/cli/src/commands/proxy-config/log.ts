/** `proxy-config log`: the levels of Envoy's loggers, read and set. */
import { type ConfigMap, RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../cluster/connect.ts'
import { withCluster } from '../../cluster/connect.ts'
import { type ProxyAdmin, proxyAdmin } from '../../cluster/envoy-admin.ts'
import { findPods, type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { at, text } from '../../config-dump/fields.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { LEVELS, levelQueries } from './log-levels.ts'
import { wantsData } from './report.ts'
import { POD_ARGUMENT, PROXY_ADMIN_PORT } from './source.ts'

/** What Envoy is started with when the injector does not say. */
const DEFAULT_LEVEL = 'warning'

interface ProxyLoggers {
  readonly pod: string
  readonly loggers: Readonly<Record<string, string>>
}

interface Answer extends ProxyLoggers {
  /** As Envoy says it. */
  readonly says: string
}

export const log = command<readonly ProxyLoggers[] | string>({
  help: 'Shows the levels of the loggers of a proxy; with --level or --reset sets them first.',
  args: [POD_ARGUMENT],
  flags: [
    {
      name: 'level',
      value: 'LEVELS',
      suggestions: LEVELS,
      type: 'commas',
      help: `a level for all loggers, or LOGGER:LEVEL,… with levels ${LEVELS.join(', ')}`,
    },
    { name: 'reset', short: 'r', help: 'all loggers to the level that proxies are started with' },
    { name: 'selector', short: 'l', value: 'LABELS', help: 'the proxies of all pods with these labels' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['short', 'json', 'yaml'], default: 'short', help: 'short, json or yaml' },
    PROXY_ADMIN_PORT,
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen proxy-config log POD.NAMESPACE',
    'lateen proxy-config log deployment/reviews-v1 --level http:debug,rbac:debug',
    'lateen proxy-config log -l app=reviews --reset',
  ],
  async run(context) {
    if (context.flags.on('reset') && context.flags.given('level')) {
      throw new CommandError('--level cannot be combined with --reset', { exitCode: EXIT.usage })
    }
    return withCluster(context, async (cluster) => {
      const admins = await adminsOf(cluster, context)
      const levels = context.flags.on('reset') ? [await installedLevel(cluster)] : context.flags.list('level')
      // All are asked before any is changed, so that a wrong name changes none.
      const before = await Promise.all(admins.map(loggersOf))
      const changes = levelQueries(levels, [...new Set(before.flatMap(({ loggers }) => Object.keys(loggers)))])
      const answers = changes.length === 0 ? before : await Promise.all(admins.map((admin) => changed(admin, changes)))
      if (wantsData(context.flags)) return answers.map(({ pod, loggers }) => ({ pod, loggers }))
      return answers.map(({ pod, says }) => `${pod}:\n${says}`).join('')
    })
  },
  render: String,
})

/** The level that proxies are started with: the injector's. */
async function installedLevel({ client, istioNamespace }: Cluster): Promise<string> {
  const injector = await client.get<ConfigMap>(RESOURCE_TYPES.ConfigMap, istioNamespace, 'istio-sidecar-injector').catch(() => undefined)
  try {
    const values: unknown = JSON.parse(injector?.data?.['values'] ?? '{}')
    const level = text(at(values, 'global', 'proxy', 'logLevel'))
    return level === 'warn' || LEVELS.includes(level) ? level : DEFAULT_LEVEL
  } catch {
    return DEFAULT_LEVEL
  }
}

async function adminsOf(cluster: Cluster, { args: [reference], flags }: Context): Promise<ProxyAdmin[]> {
  const labelSelector = flags.text('selector')
  if ((reference === undefined) === (labelSelector === undefined)) {
    throw new CommandError('give a pod, or --selector with labels', { exitCode: EXIT.usage })
  }
  const port = flags.integer('proxy-admin-port')
  const adminOf = ({ metadata }: PodObject) => proxyAdmin(cluster, `${metadata.name}.${metadata.namespace}`, port)
  if (reference !== undefined) {
    const pods = await findPods(cluster.client, reference, cluster.namespace)
    // A workload without running pods is told as for one pod.
    return pods.length === 0 ? [await proxyAdmin(cluster, reference, port)] : Promise.all(pods.map(adminOf))
  }
  const { items } = await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod, {
    namespace: cluster.namespace,
    ...(labelSelector ? { labelSelector } : {}),
  })
  const proxied = items.filter((pod) => proxyContainerOf(pod) !== undefined)
  if (proxied.length === 0) throw new CommandError(`no pod with labels ${labelSelector} in namespace ${cluster.namespace} has a proxy`)
  return Promise.all(proxied.map(adminOf))
}

async function changed(admin: ProxyAdmin, changes: readonly string[]): Promise<Answer> {
  for (const change of changes) await admin.ask('POST', `logging?${change}`)
  return loggersOf(admin)
}

async function loggersOf(admin: ProxyAdmin): Promise<Answer> {
  const says = await admin.ask('POST', 'logging')
  const pairs = [...says.matchAll(/^\s+(\S+): (\S+)$/gm)].map(([, name = '', level = '']) => [name, level] as const)
  return { pod: admin.pod, loggers: Object.fromEntries(pairs), says: says.endsWith('\n') ? says : `${says}\n` }
}
