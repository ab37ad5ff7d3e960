/** `proxy-config log`: the levels of Envoy's loggers, read and set. */
import { RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../cluster/connect.ts'
import { withCluster } from '../../cluster/connect.ts'
import { type ProxyAdmin, proxyAdmin } from '../../cluster/envoy-admin.ts'
import { type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { POD_ARGUMENT } from './source.ts'

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off']
/** What Envoy is started with. */
const DEFAULT_LEVEL = 'warning'

interface ProxyLoggers {
  readonly pod: string
  readonly loggers: Readonly<Record<string, string>>
}

export const log = command<readonly ProxyLoggers[]>({
  help: 'Shows the levels of the loggers of a proxy; with --level or --reset sets them first.',
  args: [POD_ARGUMENT],
  flags: [
    {
      name: 'level',
      value: 'LEVELS',
      type: 'commas',
      help: `a level for all loggers, or LOGGER:LEVEL,… with levels ${LEVELS.join(', ')}`,
    },
    { name: 'reset', short: 'r', help: `all loggers to ${DEFAULT_LEVEL}` },
    { name: 'selector', short: 'l', value: 'LABELS', help: 'the proxies of all pods with these labels' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['short', 'json', 'yaml'], default: 'short', help: 'short, json or yaml' },
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen proxy-config log POD.NAMESPACE',
    'lateen proxy-config log deployment/reviews-v1 --level http:debug,rbac:debug',
    'lateen proxy-config log -l app=reviews --reset',
  ],
  async run(context) {
    const changes = changesOf(context.flags)
    return withCluster(context, async (cluster) => {
      const admins = await adminsOf(cluster, context)
      return Promise.all(admins.map((admin) => levelsOf(admin, changes)))
    })
  },
  render: (found) =>
    found
      .map(({ pod, loggers }) => {
        const lines = Object.entries(loggers).map(([name, level]) => `  ${name}: ${level}`)
        return [`${pod}:`, 'active loggers:', ...lines].join('\n')
      })
      .join('\n\n'),
})

/** Queries of Envoy's `/logging`, one for each logger. @throws CommandError for a level that there is not */
function changesOf(flags: Context['flags']): string[] {
  if (flags.on('reset') && flags.given('level')) throw new CommandError('--level and --reset exclude each other', { exitCode: EXIT.usage })
  if (flags.on('reset')) return [`level=${DEFAULT_LEVEL}`]
  return flags.list('level').map((text) => {
    const [name, level] = text.includes(':') ? text.split(':') : ['all', text]
    const wanted = level === 'warn' ? 'warning' : (level ?? '')
    if (!LEVELS.includes(wanted) || !/^[a-z0-9_]+$/.test(name ?? '')) {
      throw new CommandError(`--level ${text}: levels are ${LEVELS.join(', ')}, as in http:debug`, { exitCode: EXIT.usage })
    }
    return name === 'all' ? `level=${wanted}` : `${name}=${wanted}`
  })
}

async function adminsOf(cluster: Cluster, { args: [reference], flags }: Context): Promise<ProxyAdmin[]> {
  const labelSelector = flags.text('selector')
  if ((reference === undefined) === (labelSelector === undefined)) {
    throw new CommandError('give a pod, or --selector with labels', { exitCode: EXIT.usage })
  }
  if (reference !== undefined) return [await proxyAdmin(cluster, reference)]
  const { items } = await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod, {
    namespace: cluster.namespace,
    ...(labelSelector ? { labelSelector } : {}),
  })
  const proxied = items.filter((pod) => proxyContainerOf(pod) !== undefined)
  if (proxied.length === 0) throw new CommandError(`no pod with labels ${labelSelector} in namespace ${cluster.namespace} has a proxy`)
  return Promise.all(proxied.map(({ metadata }) => proxyAdmin(cluster, `${metadata.name}.${metadata.namespace}`)))
}

async function levelsOf(admin: ProxyAdmin, changes: readonly string[]): Promise<ProxyLoggers> {
  for (const change of changes) await admin.ask('POST', `logging?${change}`)
  const text = await admin.ask('POST', 'logging')
  const pairs = [...text.matchAll(/^\s+(\S+): (\S+)$/gm)].map(([, name = '', level = '']) => [name, level] as const)
  return { pod: admin.pod, loggers: Object.fromEntries(pairs) }
}
