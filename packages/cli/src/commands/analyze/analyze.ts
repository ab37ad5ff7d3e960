/** `analyze`: what is wrong with configuration, in files, in a cluster, or in the cluster as files would change it. */
import {
  ANALYZERS,
  type Analysis,
  type Analyzer,
  type AnyResource,
  analyzersNamed,
  analyze as analyzeWorld,
  externalWebhookHosts,
  inputKinds,
  isAtLeast,
  type KindName,
  RUNTIME_KINDS,
  type Settings,
  selectFindings,
  World,
} from '@lateen/analysis'
import { connect } from '../../cluster/connect.ts'
import { EXTENSIONS, type InputFile, readInputFiles } from '../../input/files.ts'
import { type Context, command, HOME_FLAG, Outcome } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { readCluster } from './cluster-resources.ts'
import { readFileResources } from './file-resources.ts'
import {
  ALL_NAMESPACES,
  ANALYZER,
  COLOR,
  FAILURE_THRESHOLD,
  levelOf,
  MESH_CONFIG,
  OUTPUT,
  OUTPUT_THRESHOLD,
  SUPPRESS,
  suppressionsOf,
} from './flags.ts'
import { meshConfigOfFile } from './mesh-settings.ts'
import { AnalysisOutput, renderLog, takesColor } from './output.ts'
import { unresolvableHosts } from './resolve-hosts.ts'

export const analyze = command<AnalysisOutput | string>({
  help: 'Analyses configuration: the objects of a cluster, together with files as if they were applied. With --use-kube=false, files alone.',
  args: [{ name: 'file', help: 'file or folder; - for standard input', optional: true, variadic: true }],
  flags: [
    ALL_NAMESPACES,
    { name: 'use-kube', short: 'k', default: true, help: 'whether to read the cluster; =false for files alone' },
    { name: 'recursive', short: 'R', help: 'read folders within folders' },
    OUTPUT,
    OUTPUT_THRESHOLD,
    FAILURE_THRESHOLD,
    SUPPRESS,
    ANALYZER,
    { name: 'list-analyzers', short: 'L', help: 'list the analyzers and end' },
    MESH_CONFIG,
    { name: 'revision', short: 'r', value: 'REVISION', default: 'default', help: 'revision of the control plane' },
    { name: 'remote-contexts', value: 'CONTEXT', type: 'list', help: 'further clusters of the mesh, by context; may be repeated' },
    { name: 'ignore-unknown', help: 'do not fail because of documents that cannot be read' },
    COLOR,
    { name: 'timeout', value: 'DURATION', type: 'duration', default: '30s', help: 'longest wait for the cluster' },
    { name: 'verbose', short: 'v', help: 'say which analyzers ran' },
    ...KUBE_FLAGS,
    HOME_FLAG,
  ],
  examples: [
    'lateen analyze',
    'lateen analyze -A',
    'lateen analyze --use-kube=false my-app.yaml my-folder/',
    'lateen analyze -S "IST0103=Pod *.testing" my-app.yaml',
  ],
  async run(context) {
    const { flags } = context
    if (flags.on('list-analyzers')) return listOf(ANALYZERS)
    const analyzers = chosenAnalyzers(flags.list('analyzer'))
    const input = readInputFiles(context.args, { recursive: flags.on('recursive') })
    for (const name of input.skipped) context.progress.note(`${name} is skipped: it ends in none of ${EXTENSIONS.join(' ')}`)
    const found = await find(context, { analyzers, files: input.files })
    return conclude(context, found)
  },
  render: (data) => (typeof data === 'string' ? data : renderLog(data)),
})

function listOf(analyzers: readonly Analyzer[]): string {
  const lines = analyzers.map(({ name, description }) => `* ${name}:\n    ${description}`)
  return lines.sort().join('\n')
}

/** @throws CommandError when none of the names exists */
export function chosenAnalyzers(names: readonly string[]): readonly Analyzer[] {
  const chosen = analyzersNamed(names)
  if (chosen.length > 0) return chosen
  throw new CommandError(`no analyzer is called ${names.join(' or ')}; "lateen analyze -L" lists them`, { exitCode: EXIT.usage })
}

interface Wanted {
  readonly analyzers: readonly Analyzer[]
  readonly files: readonly InputFile[]
}

interface Found {
  readonly analysis: Analysis
  readonly files: readonly InputFile[]
  readonly unreadable: readonly string[]
  /** The namespace that is shown; absent for all. */
  readonly namespace?: string
}

async function find(context: Context, { analyzers, files }: Wanted): Promise<Found> {
  const { flags, progress } = context
  const live = flags.on('use-kube') ? await readLive(context, inputKinds(analyzers)) : undefined
  if (!live && context.args.length === 0) {
    throw new CommandError('--use-kube=false needs a file, a folder or - for standard input', { exitCode: EXIT.usage })
  }
  const selected = live?.namespace ?? (flags.text('namespace') || 'default')
  const namespace = flags.on('all-namespaces') ? undefined : selected
  const inFiles = readFileResources(files, { defaultNamespace: namespace ?? '', leaveOut: live ? new Set() : RUNTIME_KINDS })
  const { unreadable, overlooked } = inFiles
  for (const line of [...unreadable, ...overlooked]) progress.note(line)
  const settings: Partial<Settings> = { ...live?.settings, ...meshConfigOf(context), now: Date.now() }
  const world = await worldOf([...inFiles.resources, ...(live?.resources ?? [])], { settings, isLive: live !== undefined })
  const analysis = analyzeWorld(world, { analyzers, unavailable: live?.unavailable ?? RUNTIME_KINDS })
  return { analysis, files, unreadable, ...(namespace !== undefined && { namespace }) }
}

function meshConfigOf({ flags }: Context): Partial<Settings> {
  const path = flags.text('meshConfigFile')
  return path ? meshConfigOfFile(path) : {}
}

interface WorldOptions {
  readonly settings: Partial<Settings>
  /** Names of webhooks are looked up for clusters only: files are analysed without the outside world. */
  readonly isLive: boolean
}

async function worldOf(resources: readonly AnyResource[], { settings, isLive }: WorldOptions): Promise<World> {
  const world = new World(resources, settings)
  const hosts = isLive ? externalWebhookHosts(world) : []
  return hosts.length === 0 ? world : new World(resources, { ...settings, unresolvableHosts: await unresolvableHosts(hosts) })
}

async function readLive(context: Context, kinds: readonly KindName[]) {
  const { flags } = context
  const cluster = connect(context)
  try {
    const live = await readCluster(cluster, {
      kinds,
      namespace: flags.on('all-namespaces') ? undefined : flags.text('namespace') || undefined,
      revision: flags.text('revision') ?? 'default',
      remoteContexts: flags.list('remote-contexts'),
      kubeconfig: flags.text('kubeconfig'),
      timeoutMs: flags.duration('timeout') ?? 30_000,
    })
    for (const problem of live.problems) context.progress.note(problem)
    return { ...live, namespace: cluster.namespace || 'default' }
  } finally {
    cluster.client.close()
  }
}

const TARGET_ALL = 'all namespaces'

function conclude({ flags, env, progress }: Context, { analysis, files, unreadable, namespace }: Found): Outcome<AnalysisOutput> {
  const { suppressions, unknownCodes } = suppressionsOf(flags)
  for (const code of unknownCodes) progress.note(`Warning: the code ${code} does not exist, so that suppressing it has no effect`)
  const target = namespace === undefined ? TARGET_ALL : `namespace: ${namespace}`
  if (flags.on('verbose')) sayAnalyzers(analysis, target, progress.note)
  const findings = selectFindings(analysis.findings, { suppressions, ...(namespace !== undefined && { namespace }) })
  const threshold = levelOf(flags, 'output-threshold')
  const shown = findings.filter(({ level }) => isAtLeast(level, threshold))
  const failed = findings.some(({ level }) => isAtLeast(level, levelOf(flags, 'failure-threshold')))
  const isForPeople = (flags.text('output') ?? 'log') === 'log'
  if (shown.length === 0) {
    const what = files.length > 0 ? files.map(({ name }) => name).join('\n') : target
    const but =
      unreadable.length === 0
        ? ''
        : `, but ${unreadable.length === 1 ? 'one problem keeps' : `${unreadable.length} problems keep`} objects from being read`
    progress.note(`${but === '' ? '\u2714 ' : ''}No validation issues found when analyzing ${what}${but}.`)
  }
  const output = new AnalysisOutput(shown, flags.given('color') ? flags.on('color') : takesColor(env))
  if (isForPeople && failed) {
    progress.note(
      `Error: Analyzers found issues when analyzing ${target}.\nSee https://istio.io/v1.30/docs/reference/config/analysis for what each code means.`,
    )
    return new Outcome(output, EXIT.findings)
  }
  if (isForPeople && unreadable.length > 0 && !flags.on('ignore-unknown')) {
    progress.note('Error: some objects could not be read; --ignore-unknown passes over them.')
    return new Outcome(output, EXIT.failure)
  }
  return new Outcome(output, EXIT.ok)
}

function sayAnalyzers({ executed, skipped }: Analysis, target: string, note: (line: string) => void): void {
  note(`Analyzed resources in ${target}`)
  if (skipped.length > 0) note(['Skipped analyzers:', ...skipped].join('\n\t'))
  if (executed.length > 0) note(['Executed analyzers:', ...executed].join('\n\t'))
}
