/** `ztunnel-config log`: the level of ztunnels' logs, read and set. */
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import type { PodObject } from '../../cluster/pods.ts'
import { askZtunnel, findZtunnels } from '../../cluster/ztunnel.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { ADMIN_PORT, adminPort, ZTUNNEL_ARGUMENT } from './source.ts'

/** What Envoy's users say, in ztunnel's words. */
const LEVELS: ReadonlyMap<string, string> = new Map([
  ...['trace', 'debug', 'info', 'warn', 'error', 'off'].map((level) => [level, level] as const),
  ['warning', 'warn'],
  ['critical', 'error'],
])

interface ZtunnelLog {
  readonly ztunnel: string
  readonly says: string
}

export const log = command<readonly ZtunnelLog[]>({
  help: 'Shows at which levels ztunnels log; with --level or --reset sets them first. Without a name: all ztunnels.',
  args: [ZTUNNEL_ARGUMENT],
  flags: [
    {
      name: 'level',
      value: 'LEVELS',
      suggestions: [...LEVELS.keys()],
      type: 'commas',
      help: `a level for everything, or SCOPE:LEVEL,… with levels ${[...LEVELS.keys()].join(', ')}`,
    },
    { name: 'reset', short: 'r', help: 'back to info' },
    { name: 'node', value: 'NODE', help: 'the ztunnel of this node' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['short', 'json', 'yaml'], default: 'short', help: 'short, json or yaml' },
    ADMIN_PORT,
    ...KUBE_FLAGS,
  ],
  examples: [
    'lateen ztunnel-config log',
    'lateen ztunnel-config log --level access:debug,info',
    'lateen ztunnel-config log --node NODE --reset',
  ],
  async run(context) {
    const query = queryOf(context.flags)
    return withCluster(context, async (cluster) => {
      const pods = await findZtunnels(cluster, context.args[0], context.flags.text('node'))
      return Promise.all(pods.map((pod) => levelsOf(cluster, pod, adminPort(context.flags), query)))
    })
  },
  render: (found) => found.map(({ ztunnel, says }) => `${ztunnel}:\n${says}\n\n`).join(''),
})

async function levelsOf(cluster: Cluster, pod: PodObject, port: number, query: string): Promise<ZtunnelLog> {
  const says = await askZtunnel(cluster, pod, port, 'POST', `/logging${query}`)
  return { ztunnel: `${pod.metadata.name}.${pod.metadata.namespace}`, says: says.trim() }
}

/** @throws CommandError for a level that there is not */
export function queryOf(flags: Context['flags']): string {
  const levels = flags.list('level')
  if (flags.on('reset') && levels.length > 0) throw new CommandError('--level cannot be combined with --reset', { exitCode: EXIT.usage })
  if (flags.on('reset')) return '?level=info&reset'
  if (levels.length === 0) return ''
  const words = levels.map((text) => {
    const [, scope, level = text] = /^([\w:]+)[:=](\w+)$/.exec(text) ?? []
    const known = LEVELS.get(level)
    if (!known)
      throw new CommandError(
        `unrecognized logging level: ${level}; levels are ${[...LEVELS.keys()].join(', ')}, as in --level access:debug`,
        {
          exitCode: EXIT.usage,
        },
      )
    return scope ? `${scope}=${known}` : known
  })
  return `?level=${encodeURIComponent(words.join(','))}`
}
