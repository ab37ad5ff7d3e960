/** `admin log`: the log levels of the control plane, read and set while it runs. */
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { findIstiods } from '../../cluster/istiod.ts'
import { askPod } from '../../cluster/pod-ports.ts'
import { findPod, type PodObject } from '../../cluster/pods.ts'
import { at, list, text } from '../../config-dump/fields.ts'
import { table } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'

const LEVELS = ['none', 'error', 'warn', 'info', 'debug']

interface ScopeLevel {
  readonly scope_name: string
  readonly log_level: string
  readonly stack_trace_level: string
  readonly description: string
}

/** What is to be set of a scope; of every scope when it is not named. */
export interface Change {
  readonly scope?: string
  readonly output_level?: string
  readonly stack_trace_level?: string
}

export const log = command<readonly ScopeLevel[] | undefined>({
  help: 'Shows at which levels the parts of the control plane log; with --level, --stack-trace-level or a reset changes them in every replica, or in the one that is named.',
  args: [{ name: 'pod', help: 'a pod of the control plane', optional: true }],
  flags: [
    { name: 'level', value: 'LEVELS', suggestions: LEVELS, help: `SCOPE:LEVEL,… with levels ${LEVELS.join(', ')}` },
    {
      name: 'stack-trace-level',
      value: 'LEVELS',
      suggestions: LEVELS,
      help: 'SCOPE:LEVEL,…: from which level on entries have a stack trace',
    },
    { name: 'reset', help: 'everything back: levels to info, stack traces to none' },
    { name: 'log-reset', help: 'levels back to info' },
    { name: 'stack-trace-reset', help: 'stack traces back to none' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'of the control plane of this revision' },
    { name: 'selector', short: 'l', value: 'LABELS', default: 'app=istiod', help: 'labels of the control plane' },
    { name: 'ctrlz_port', value: 'PORT', type: 'integer', default: 9876, help: 'port of ControlZ' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['short', 'json', 'yaml'], default: 'short', help: 'short, json or yaml' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen admin log', 'lateen admin log --level ads:debug,xds:debug', 'lateen admin log istiod-5c868d8bdd-pmvgg --reset'],
  async run(context) {
    const changes = changesOf(context.flags)
    return withCluster(context, async (cluster) => {
      const pods = await istiodsOf(cluster, context)
      const port = context.flags.integer('ctrlz_port') ?? 9876
      if (changes.length === 0) return pods[0] && scopesOf(cluster, pods[0], port)
      await Promise.all(pods.map((pod) => apply(cluster, pod, port, changes)))
      return undefined
    })
  },
  render: (scopes) =>
    scopes
      ? table(
          ['ACTIVE SCOPE', 'DESCRIPTION', 'LOG LEVEL', 'STACK TRACE LEVEL'],
          scopes.map((scope) => [scope.scope_name, scope.description, scope.log_level, scope.stack_trace_level]),
        )
      : '',
})

async function istiodsOf(cluster: Cluster, { args: [reference], flags }: Context): Promise<PodObject[]> {
  if (reference !== undefined) return [await findPod(cluster.client, reference, cluster.istioNamespace)]
  return findIstiods(cluster, flags.text('revision') || undefined, flags.text('selector') || undefined)
}

/** @throws CommandError for flags that contradict each other, and for unknown levels */
export function changesOf(flags: Context['flags']): Change[] {
  const levels = pairsOf('level', flags.text('level'))
  const stacks = pairsOf('stack-trace-level', flags.text('stack-trace-level'))
  const resets = { log: flags.on('reset') || flags.on('log-reset'), stack: flags.on('reset') || flags.on('stack-trace-reset') }
  if (levels.length > 0 && resets.log) throw new CommandError('--level excludes --reset and --log-reset', { exitCode: EXIT.usage })
  if (stacks.length > 0 && resets.stack) {
    throw new CommandError('--stack-trace-level excludes --reset and --stack-trace-reset', { exitCode: EXIT.usage })
  }
  return [
    ...(resets.log ? [{ output_level: 'info' }] : []),
    ...(resets.stack ? [{ stack_trace_level: 'none' }] : []),
    ...levels.map(({ scope, level }) => ({ scope, output_level: level })),
    ...stacks.map(({ scope, level }) => ({ scope, stack_trace_level: level })),
  ]
}

function pairsOf(flag: string, given: string | undefined): { scope: string; level: string }[] {
  if (!given) return []
  return given.split(',').map((pair) => {
    const [, scope, level = ''] = /^([\w -]+):(\w+)$/.exec(pair) ?? []
    if (scope && LEVELS.includes(level)) return { scope, level }
    throw new CommandError(`--${flag} ${pair}: SCOPE:LEVEL is wanted, with levels ${LEVELS.join(', ')}`, { exitCode: EXIT.usage })
  })
}

async function scopesOf(cluster: Cluster, pod: PodObject, port: number): Promise<ScopeLevel[]> {
  const body = await ask(cluster, pod, port, 'GET', '/scopej')
  return list(JSON.parse(body))
    .map((scope) => ({
      scope_name: text(at(scope, 'name')),
      log_level: text(at(scope, 'output_level')),
      stack_trace_level: text(at(scope, 'stack_trace_level')),
      description: text(at(scope, 'description')),
    }))
    .sort((a, b) => (a.scope_name < b.scope_name ? -1 : 1))
}

async function apply(cluster: Cluster, pod: PodObject, port: number, changes: readonly Change[]): Promise<void> {
  const all = changes.some(({ scope }) => scope === undefined)
    ? (await scopesOf(cluster, pod, port)).map(({ scope_name }) => scope_name)
    : []
  for (const { scope, ...levels } of changes) {
    for (const name of scope === undefined ? all : [scope]) {
      await ask(cluster, pod, port, 'PUT', `/scopej/${encodeURIComponent(name)}`, JSON.stringify({ name, ...levels }))
    }
  }
}

async function ask(cluster: Cluster, pod: PodObject, port: number, method: 'GET' | 'PUT', path: string, body?: string): Promise<string> {
  const { name, namespace = cluster.istioNamespace } = pod.metadata
  const answer = await askPod(cluster, { namespace, pod: name, port, method, path, ...(body === undefined ? {} : { body }) })
  if (answer.status >= 200 && answer.status < 300) return answer.body
  throw new CommandError(`pod ${name}.${namespace} answered ${method} ${path} with ${answer.status}: ${answer.body.trim().slice(0, 300)}`)
}
