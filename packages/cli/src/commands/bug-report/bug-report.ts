/** `bug-report`: what somebody else needs to understand a fault, in one archive. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withCluster } from '../../cluster/connect.ts'
import { reading } from '../../input/read-text.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { type ArchivedFile, writeArchive } from './archive.ts'
import { itemsOf } from './collect.ts'
import type { Item } from './item.ts'
import { Report } from './report.ts'
import { settingsOf } from './settings.ts'

const SYSTEM_NAMESPACES = 'kube-node-lease,kube-public,kube-system,local-path-storage'

/** istioctl's names of the archive and of the folder in it. */
const NAME = 'bug-report'

export const bugReport = command<string>({
  endsItself: true,
  help: 'Collects what is needed to understand a fault into bug-report.tar.gz in this folder: objects, analysis, logs, debug pages of the control plane, and of each proxy its state, connections and core dumps. What Secrets hold is left out, and private keys and tokens are wherever they stand in text; core dumps hold the memory of a proxy. Read it before you hand it on.',
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
      help: 'YAML file with include, exclude, startTime, endTime, since, criticalErrors, ignoredErrors and the like, for flags that are not given',
    },
    { name: 'istio-namespace', value: 'NAMESPACE', default: 'istio-system', help: 'the same as --istioNamespace' },
    {
      name: 'dir',
      value: 'DIR',
      help: 'where core dumps are kept until they are in the archive (default: the folder for temporary files)',
    },
    { name: 'proxy-admin-port', value: 'PORT', type: 'integer', default: 15000, help: "port of the proxies' administration interface" },
    { name: 'skip-coredumps', help: 'without core dumps of proxies' },
    { name: 'skip-netstat', help: 'without the connections of proxies' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen bug-report', 'lateen bug-report --include "shop/cart*" --duration 1h', 'lateen bug-report --dry-run'],
  run: async (context) => collected(context),
})

async function* collected(context: Context): AsyncGenerator<string> {
  const settings = settingsOf(context)
  const { flags, isDryRun } = settings
  const parent = reading(flags.text('dir') ?? '', () => temporaryParent(flags.text('dir')))
  const kept = mkdtempSync(join(parent, `${NAME}-`))
  try {
    const lines = await withCluster({ ...context, flags }, async (cluster) => {
      const items = await beforeTheEnd(context.signal, () => itemsOf(cluster, settings.scope, kept))
      if (isDryRun) return items.map(({ path }) => path)
      const target = join(flags.text('output-dir') || '.', `${NAME}.tar.gz`)
      const step = context.progress.step('collecting')
      const until = AbortSignal.any([context.signal, AbortSignal.timeout(settings.timeoutMs)])
      const report = new Report(settings.patterns)
      const files = filesOf(items, { concurrency: settings.concurrency, until, report, onItem: (path) => step.update(path) })
      await writeArchive(target, files, new Date())
      step.done(`collected ${items.length} files`)
      for (const line of report.conclusion()) context.progress.note(line)
      return [target]
    })
    yield `${lines.join('\n')}\n`
  } finally {
    rmSync(kept, { recursive: true, force: true })
  }
}

function temporaryParent(given: string | undefined): string {
  if (!given) return tmpdir()
  mkdirSync(given, { recursive: true, mode: 0o700 })
  return given
}

interface Collecting {
  readonly concurrency: number
  readonly until: AbortSignal
  readonly report: Report
  readonly onItem: (path: string) => void
}

/** Several are read at once, in order; what cannot be read is told in the summary, which comes last. */
async function* filesOf(items: readonly Item[], { concurrency, until, report, onItem }: Collecting): AsyncGenerator<ArchivedFile> {
  const read = async (item: Item): Promise<ArchivedFile[]> => {
    try {
      const found = await beforeTheEnd(until, () => item.read((fault) => report.fault(fault), until))
      if (typeof found !== 'string') return found.map(({ name, content }) => ({ path: `${NAME}/${item.path}/${name}`, content }))
      if (item.isLog) report.sawLog(item.path, found)
      return [{ path: `${NAME}/${item.path}`, content: Buffer.from(found) }]
    } catch (error) {
      const line = `${item.path}: ${error instanceof Error ? error.message : String(error)}`
      if (item.isOptional && !until.aborted) report.absent(line)
      else report.fault(line)
      return []
    }
  }
  const running: Promise<ArchivedFile[]>[] = []
  for (const item of items) {
    onItem(item.path)
    running.push(read(item))
    if (running.length >= concurrency) yield* written(await running.shift(), report)
  }
  for (const files of running) yield* written(await files, report)
  yield { path: `${NAME}/summary.txt`, content: Buffer.from(report.text()) }
}

/** A core dump is large: what was written is not needed on this disk any more. */
async function* written(files: readonly ArchivedFile[] | undefined, report: Report): AsyncGenerator<ArchivedFile> {
  for (const file of files ?? []) {
    yield file
    if (!('file' in file.content)) continue
    report.sawCore()
    rmSync(file.content.file, { force: true })
  }
}

/** @throws CommandError when the time is over or the user interrupts, also in the middle of `work` */
function beforeTheEnd<T>(until: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const isTimeout = () => until.reason instanceof Error && until.reason.name === 'TimeoutError'
    const over = () => reject(new CommandError(isTimeout() ? 'the time for the report was over' : 'the report was interrupted'))
    if (until.aborted) return over()
    until.addEventListener('abort', over, { once: true })
    work()
      .then(resolve, reject)
      .finally(() => until.removeEventListener('abort', over))
  })
}
