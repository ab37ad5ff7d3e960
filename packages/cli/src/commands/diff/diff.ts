/** `diff`: what applying files would do to the configuration of each proxy, before it is done. */
import { refOf } from '@lateen/api'
import { formatDiagnostic, objectName } from '@lateen/base'
import { readObjects } from '../../input/objects.ts'
import { table } from '../../render/table.ts'
import type { PodView } from '../../routing/proxy-node.ts'
import { loadWorld, WORLD_FLAGS, type World } from '../../routing/world.ts'
import { type Context, command, Outcome } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { changeOf } from './change.ts'
import { compareProxies, type ProxyChange, type ResourceChange } from './compare.ts'

interface Report {
  /** Proxies that were looked at. */
  readonly proxies: number
  readonly changed: readonly ProxyChange[]
}

export const diff = command<Report>({
  help: 'Shows what applying files would change in the configuration of each proxy, resource by resource, with the object that is the cause. Nothing is applied. The mesh is that of the cluster, or that of the files of --base.',
  args: [{ name: 'pod', help: 'only this proxy: NAME[.NAMESPACE]', optional: true }],
  flags: [
    { name: 'filename', short: 'f', value: 'FILE', type: 'list', help: 'file or folder that would be applied, or -; may be repeated' },
    { name: 'base', value: 'FILE', type: 'list', help: 'the mesh as it is, from files instead of the cluster; may be repeated' },
    { name: 'delete', help: 'the objects of the files would be deleted' },
    { name: 'exit-code', help: 'exit code 1 when something changes' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json', 'yaml'], default: 'table', help: 'table, json or yaml' },
    ...WORLD_FLAGS.filter(({ name }) => name !== 'filename'),
  ],
  examples: [
    'lateen diff -f virtual-service.yaml',
    'lateen diff -f new.yaml productpage-v1-6b746f74dc-9stvs.default -o yaml',
    'lateen diff --base mesh/ -f new.yaml --exit-code',
    'lateen diff -f old.yaml --delete',
  ],
  async run(context) {
    const { flags } = context
    const paths = flags.list('filename')
    if (paths.length === 0) throw new CommandError('name the files that would be applied: -f FILE', { exitCode: EXIT.usage })
    const world = await loadWorld(context, flags.list('base'))
    const files = readObjects(paths, world.namespace)
    const pods = chosenPods(world, context)
    const change = changeOf(
      files.map(({ object }) => object),
      world.objects,
      flags.on('delete'),
    )
    noteProblems(
      world,
      context,
      change.forth.map(({ object }) => objectName(refOf(object))),
      () => world.mesh.apply(change.forth),
      () => world.mesh.apply(change.back),
    )
    const changed = await compareProxies(world, pods, change)
    return new Outcome({ proxies: pods.length, changed }, flags.on('exit-code') && changed.length > 0 ? EXIT.failure : EXIT.ok)
  },
  render: ({ proxies, changed }) => {
    if (changed.length === 0)
      return `no change: the configuration of ${proxies === 1 ? 'the proxy' : `all ${proxies} proxies`} stays as it is`
    return changed.map(groupText).join('\n\n')
  },
})

/** Pods with proxies; from files, where nothing is injected yet, all pods. @throws CommandError when there is none */
function chosenPods(world: World, { args: [wanted], flags }: Context): PodView[] {
  const inNamespace = (pod: PodView) => !flags.given('namespace') || pod.namespace === world.namespace
  const all = world.pods.filter((pod) => (!world.live || pod.role !== 'none') && pod.addresses.length > 0)
  const [name, namespace] = splitName(wanted, world.namespace)
  const pods = wanted === undefined ? all.filter(inNamespace) : all.filter((pod) => pod.name === name && pod.namespace === namespace)
  if (pods.length > 0) return pods
  throw new CommandError(
    wanted === undefined
      ? `no pod${flags.given('namespace') ? ` of namespace ${world.namespace}` : ''} has a proxy whose configuration could change`
      : `no pod ${name} with a proxy is in namespace ${namespace}; there are ${
          all
            .slice(0, 8)
            .map((pod) => `${pod.name}.${pod.namespace}`)
            .join(', ') || 'none'
        }`,
  )
}

function splitName(text: string | undefined, namespace: string): readonly [string, string] {
  const plain = (text ?? '').replace(/^pods?\//, '')
  const dot = plain.lastIndexOf('.')
  return dot > 0 ? [plain.slice(0, dot), plain.slice(dot + 1)] : [plain, namespace]
}

/** An object that is refused changes nothing, and the user wants to know. */
function noteProblems(world: World, { progress }: Context, names: readonly string[], apply: () => void, undo: () => void): void {
  const touched = new Set(names)
  apply()
  for (const diagnostic of world.mesh.diagnostics()) {
    if (diagnostic.object && touched.has(objectName(diagnostic.object))) progress.note(formatDiagnostic(diagnostic))
  }
  undo()
}

const MOST_NAMES = 3
const MOST_FIELDS = 5

function groupText({ proxies, changes }: ProxyChange): string {
  const more = proxies.length - MOST_NAMES
  const names = `${proxies.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  const rows = changes.map((each) => [each.type, each.name, summary(each), each.causes.join(', ') || '-'])
  const [headings = '', ...lines] = table(['TYPE', 'NAME', 'CHANGE', 'BY'], rows).split('\n')
  const detailed = lines.flatMap((line, index) => [line, ...fieldLines(changes[index])])
  return [`${names}:`, headings, ...detailed].join('\n')
}

const summary = ({ change, differences }: ResourceChange): string =>
  change === 'changed' ? `${differences.length} ${differences.length === 1 ? 'field' : 'fields'}` : change

function fieldLines(change: ResourceChange | undefined): string[] {
  const differences = change?.differences ?? []
  const more = differences.length - MOST_FIELDS
  return [
    ...differences.slice(0, MOST_FIELDS).map(({ path, before, after }) => `    ${path}: ${between(before, after)}`),
    ...(more > 0 ? [`    and ${more} more: -o yaml shows all`] : []),
  ]
}

function between(before: unknown, after: unknown): string {
  if (before === undefined) return `added ${brief(after)}`
  return after === undefined ? `removed ${brief(before)}` : `${brief(before)} -> ${brief(after)}`
}

const LONGEST = 60

/** A value in few characters; large objects are their size. */
function brief(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (text.length <= LONGEST) return text
  return typeof value === 'object' ? '{...}' : `${text.slice(0, LONGEST - 3)}...`
}
