/** `bug-report`: what somebody else needs to understand a fault, in one archive. */
import { join } from 'node:path'
import { parse } from 'yaml'
import { withCluster } from '../../cluster/connect.ts'
import { fields, list, text } from '../../config-dump/fields.ts'
import { readText } from '../../input/read-text.ts'
import { type Context, command, type Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { parseDuration } from '../../shell/flag-values.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { PROXY_ADMIN_PORT } from '../proxy-config/source.ts'
import { type ArchivedFile, writeArchive } from './archive.ts'
import { type Item, itemsOf, type Scope } from './collect.ts'
import { errorsOf } from './logs.ts'
import { parseChoice } from './selection.ts'

const SYSTEM_NAMESPACES = 'kube-node-lease,kube-public,kube-system,local-path-storage'

const accepted = (name: string): Flag => ({ name, hidden: true, help: 'accepted: such files are not collected' })

export const bugReport = command<string>({
  help: 'Collects what is needed to understand a fault into an archive in this folder: objects, analysis, logs, debug pages of the control plane, and the state of each proxy. What Secrets hold is left out, and Envoy never tells private keys. Read it before you hand it on.',
  flags: [
    {
      name: 'include',
      value: 'WHAT',
      type: 'list',
      help: 'pods: NAMESPACES/DEPLOYMENTS/PODS/LABELS/ANNOTATIONS/CONTAINERS, each with commas and *; may be repeated (default: all)',
    },
    { name: 'exclude', value: 'WHAT', type: 'list', default: SYSTEM_NAMESPACES, help: 'pods to leave out, in the same form' },
    { name: 'duration', value: 'DURATION', type: 'duration', help: 'how far back logs go' },
    { name: 'start-time', value: 'TIME', help: 'logs from this time on, as 2026-01-31T12:00:00Z' },
    { name: 'end-time', value: 'TIME', help: 'logs until this time' },
    { name: 'tail', value: 'LINES', type: 'integer', help: 'last lines of each log' },
    { name: 'critical-errs', value: 'TEXTS', type: 'commas', help: 'log lines with these texts are listed in the summary; * for any text' },
    { name: 'ignore-errs', value: 'TEXTS', type: 'commas', help: 'log lines with these texts do not count as errors' },
    { name: 'full-secrets', help: 'also what Secrets hold' },
    { name: 'skip-analyze', help: 'without analysis' },
    { name: 'skip-cluster-dump', help: 'without the objects of the cluster' },
    { name: 'skip-proxy-debug', help: 'without the state of proxies' },
    { name: 'output-dir', value: 'DIR', help: 'where the archive is written (default: this folder)' },
    { name: 'dry-run', help: 'only lists what would be collected' },
    {
      name: 'timeout',
      value: 'DURATION',
      type: 'duration',
      default: '30m',
      help: 'longest time for all of it; what is there by then is written',
    },
    { name: 'rq-concurrency', value: 'N', type: 'integer', help: 'how much is asked at once (default: 8)' },
    {
      name: 'filename',
      short: 'f',
      value: 'FILE',
      help: 'YAML file with include, exclude, startTime, endTime, since, criticalErrors, ignoredErrors',
    },
    { name: 'istio-namespace', value: 'NAMESPACE', default: 'istio-system', help: 'the same as --istioNamespace' },
    { name: 'dir', value: 'DIR', hidden: true, help: 'accepted: nothing is stored on the way' },
    PROXY_ADMIN_PORT,
    accepted('skip-coredumps'),
    accepted('skip-netstat'),
    ...KUBE_FLAGS,
  ],
  examples: ['lateen bug-report', 'lateen bug-report --include "shop/cart*" --duration 1h', 'lateen bug-report --dry-run'],
  run: async (context) => collected(context),
})

async function* collected(context: Context): AsyncGenerator<string> {
  const { flags, progress, signal } = context
  const settings = settingsOf(context)
  const namespace = flags.given('istio-namespace') ? flags.text('istio-namespace') : undefined
  const lines = await withCluster(context, async (own) => {
    const cluster = namespace ? { ...own, istioNamespace: namespace } : own
    const items = await itemsOf(cluster, settings.scope)
    if (flags.on('dry-run')) return items.map(({ path }) => path)
    const started = new Date()
    const name = `bug-report-${started.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')}`
    const target = join(flags.text('output-dir') || '.', `${name}.tar.gz`)
    const step = progress.step('collecting')
    const until = AbortSignal.any([signal, AbortSignal.timeout(flags.duration('timeout') ?? 1_800_000)])
    const report = new Report(settings.critical, settings.ignored)
    const concurrency = Math.max(1, flags.integer('rq-concurrency') ?? 8)
    await writeArchive(target, filesOf(items, { folder: name, concurrency, until, report, onItem: (path) => step.update(path) }), started)
    step.done(`collected ${items.length} files`)
    return [...report.conclusion(), target]
  })
  yield `${lines.join('\n')}\n`
}

interface Settings {
  readonly scope: Scope
  readonly critical: readonly string[]
  readonly ignored: readonly string[]
}

/** Flags before the file. @throws CommandError for texts that are no times or choices */
function settingsOf({ flags }: Context): Settings {
  const path = flags.text('filename')
  const file = path === undefined ? {} : fields(parse(readText(path), { maxAliasCount: 0 }))
  const several = (flag: string, key: string) =>
    flags.given(flag) || file[key] === undefined ? flags.list(flag) : list(file[key]).map(text)
  const duration = flags.duration('duration') ?? (text(file['since']) ? parseDuration(text(file['since'])) : undefined)
  const since = timeOf('start-time', flags.text('start-time') ?? text(file['startTime']))
  if (since && duration !== undefined) throw new CommandError('--start-time and --duration exclude each other', { exitCode: EXIT.usage })
  return {
    scope: {
      include: several('include', 'include').map(parseChoice),
      exclude: several('exclude', 'exclude').map(parseChoice),
      window: {
        since: since ?? (duration === undefined ? undefined : new Date(Date.now() - duration)),
        until: timeOf('end-time', flags.text('end-time') ?? text(file['endTime'])),
        tail: flags.integer('tail'),
      },
      fullSecrets: flags.on('full-secrets'),
      skip: {
        clusterDump: flags.on('skip-cluster-dump'),
        analysis: flags.on('skip-analyze'),
        proxyDebug: flags.on('skip-proxy-debug'),
      },
    },
    critical: several('critical-errs', 'criticalErrors'),
    ignored: several('ignore-errs', 'ignoredErrors'),
  }
}

function timeOf(flag: string, given: string): Date | undefined {
  if (given === '') return undefined
  const time = new Date(given)
  if (!Number.isNaN(time.getTime())) return time
  throw new CommandError(`--${flag} ${given}: a time such as 2026-01-31T12:00:00Z is wanted`, { exitCode: EXIT.usage })
}

/** What was seen on the way: what could not be read, and errors in logs. */
class Report {
  readonly #critical: readonly string[]
  readonly #ignored: readonly string[]
  readonly faults: string[] = []
  readonly logs: string[] = []

  constructor(critical: readonly string[], ignored: readonly string[]) {
    this.#critical = critical
    this.#ignored = ignored
  }

  sawLog(path: string, log: string): void {
    const { critical, others } = errorsOf(log, this.#critical, this.#ignored)
    if (critical.length + others === 0) return
    this.logs.push(`${path}: ${critical.length} critical, ${others} other errors`, ...critical.map((line) => `    ${line}`))
  }

  text(): string {
    const part = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : [`${title}:`, ...lines, ''])
    return [...part('Not collected', this.faults), ...part('Errors in logs', this.logs)].join('\n')
  }

  conclusion(): string[] {
    const count = this.faults.length
    return count === 0 ? [] : [`${count} of the files could not be collected; summary.txt in the archive says why`]
  }
}

interface Collecting {
  readonly folder: string
  readonly concurrency: number
  readonly until: AbortSignal
  readonly report: Report
  readonly onItem: (path: string) => void
}

/** Several are read at once, in order; what cannot be read is told in the summary, which comes last. */
async function* filesOf(items: readonly Item[], { folder, concurrency, until, report, onItem }: Collecting): AsyncGenerator<ArchivedFile> {
  const read = async (item: Item): Promise<ArchivedFile | undefined> => {
    try {
      if (until.aborted) throw new Error('the time for the report was over')
      const content = await item.read()
      if (item.isLog) report.sawLog(item.path, content)
      return { path: `${folder}/${item.path}`, content: Buffer.from(content) }
    } catch (error) {
      report.faults.push(`${item.path}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
  const running: Promise<ArchivedFile | undefined>[] = []
  for (const item of items) {
    onItem(item.path)
    running.push(read(item))
    if (running.length < concurrency) continue
    const file = await running.shift()
    if (file) yield file
  }
  for (const file of running) {
    const done = await file
    if (done) yield done
  }
  yield { path: `${folder}/summary.txt`, content: Buffer.from(report.text() || 'all was collected; no errors are in the logs\n') }
}
