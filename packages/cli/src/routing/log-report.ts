/** What a line of an access log says: its flags in words, the proxy that wrote it, the cause, and the way that the request takes now. */
import { policyOrigins } from '@lateen/simulate'
import { connect } from '../cluster/connect.ts'
import type { Context } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { type LogLine, parseLogLine } from './access-log.ts'
import { podFor } from './find-pod.ts'
import { travel } from './journey.ts'
import type { PodView } from './proxy-node.ts'
import { type Cause, type Report, reportOf } from './report.ts'
import { causeText, renderReport } from './report-text.ts'
import { type FlagMeaning, meaningsOf } from './response-flags.ts'
import { parseTarget } from './target.ts'
import { loadWorld, type World } from './world.ts'

export interface LogReport {
  readonly line: LogLine
  /** One sentence on what happened. */
  readonly summary: string
  /** The proxy that wrote the line, when its pod is known. */
  readonly writtenBy?: { readonly pod: string; readonly direction: 'inbound' | 'outbound' | 'gateway' }
  readonly flags: readonly FlagMeaning[]
  /** Objects that probably caused a failure. */
  readonly causes: readonly Cause[]
  /** The way that such a request takes with the configuration as it is now. */
  readonly now?: Report
  readonly notes: readonly string[]
}

/** @throws CommandError when the text is no line of an access log */
export async function explainLog(context: Context, text: string): Promise<LogReport> {
  const line = parseLogLine(text)
  if (!line)
    throw new CommandError("this is no line of an access log in Istio's default format, neither text nor JSON; give one whole line", {
      exitCode: EXIT.data,
    })
  const flags = meaningsOf(line.flags)
  const { world, why } = await worldIfAny(context)
  const from = context.flags.text('from')
  const writer = world && writerOf(world, line, from === undefined ? undefined : podFor(world, from))
  const now = world && writer ? wayNow(world, writer, line) : undefined
  const causes = [...denials(world, line), ...(now ? failureCauses(now, line) : [])]
  return {
    line,
    summary: summaryOf(line, flags),
    ...(writer && { writtenBy: { pod: `${writer.pod.name}.${writer.pod.namespace}`, direction: writer.direction } }),
    flags,
    causes,
    ...(now && { now }),
    notes: [
      ...(why ? [why] : []),
      ...(world && !writer
        ? ['no pod has an address of this line: it has ended since, or is of another cluster; name the proxy with --from']
        : []),
      ...(now ? differences(now, line) : []),
    ],
  }
}

/** A line says much by itself: without files and without a cluster it is explained alone. */
async function worldIfAny(context: Context): Promise<{ readonly world?: World; readonly why?: string }> {
  if (context.flags.list('filename').length === 0) {
    try {
      connect(context).client.close()
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      return { why: 'without a cluster and without files (-f), only the line itself is explained' }
    }
  }
  return { world: await loadWorld(context) }
}

interface Writer {
  readonly pod: PodView
  readonly direction: 'inbound' | 'outbound' | 'gateway'
  /** The pod whose request it was, when it is one of the mesh. */
  readonly caller: PodView | undefined
}

const addressOf = (text: string): string => text.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
const portOf = (text: string): number => Number(/:(\d+)$/.exec(text)?.[1] ?? 0)

function writerOf(world: World, line: LogLine, from: PodView | undefined): Writer | undefined {
  const withAddress = (address: string) => world.pods.find(({ addresses }) => addresses.includes(addressOf(address)))
  const local = withAddress(line.downstreamLocal)
  const remote = withAddress(line.downstreamRemote)
  const inbound = line.upstreamCluster.startsWith('inbound|') || line.upstreamCluster === 'InboundPassthroughCluster'
  if (from)
    return { pod: from, direction: from.role === 'router' ? 'gateway' : inbound ? 'inbound' : 'outbound', caller: inbound ? remote : from }
  if (local?.role === 'router') return { pod: local, direction: 'gateway', caller: local }
  if (local && (inbound || local !== remote) && !line.upstreamCluster.startsWith('outbound|'))
    return { pod: local, direction: 'inbound', caller: remote }
  return remote && { pod: remote, direction: 'outbound', caller: remote }
}

/** The same request again, from its caller. */
function wayNow(world: World, { caller, direction }: Writer, line: LogLine): Report | undefined {
  if (!caller) return undefined
  const clusterPort = Number(line.upstreamCluster.split('|')[1] ?? 0)
  const local = direction === 'inbound' ? addressOf(line.downstreamLocal) : ''
  const [host = '', authorityPort = ''] = /^(.*?)(?::(\d+))?$/.exec(line.authority || line.serverName || local)?.slice(1) ?? []
  if (host === '') return undefined
  const encrypted = direction === 'gateway' && line.serverName !== ''
  const port =
    Number(authorityPort) ||
    (direction === 'outbound' ? portOf(line.downstreamLocal) : 0) ||
    (direction === 'inbound' ? clusterPort : 0) ||
    (encrypted ? 443 : 80)
  const scheme = line.method === '' ? 'tcp' : encrypted ? 'https' : 'http'
  const target = parseTarget(`${scheme}://${host}:${port}${line.path.startsWith('/') ? line.path : '/'}`, {
    method: line.method || undefined,
    headers: [],
  })
  return reportOf(world, travel(world, caller, target, Date.now()))
}

/** The policy that the details of a denial name. */
function denials(world: World | undefined, { details }: LogLine): Cause[] {
  const policy = /rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1]
  return policyOrigins(policy ?? '').map((origin) => {
    const file = world?.whereIs(origin)
    return { ...origin, ...(file !== undefined && { file }) }
  })
}

/** Which kinds of objects cause which failures. */
const SUSPECTS: Readonly<Record<string, readonly string[]>> = {
  UH: ['DestinationRule', 'Service', 'ServiceEntry'],
  UF: ['DestinationRule', 'PeerAuthentication', 'ServiceEntry', 'Service'],
  UO: ['DestinationRule'],
  URX: ['VirtualService', 'DestinationRule'],
  NC: ['VirtualService', 'DestinationRule'],
  NR: ['VirtualService', 'Gateway'],
  UT: ['VirtualService'],
  DI: ['VirtualService'],
  FI: ['VirtualService'],
  UC: ['DestinationRule'],
  UR: ['DestinationRule', 'Service'],
  DF: ['ServiceEntry'],
}

function failureCauses(now: Report, { flags }: LogLine): Cause[] {
  const kinds = flags.split(',').flatMap((flag) => SUSPECTS[flag] ?? [])
  const all = [...now.steps, ...now.branches.flatMap(({ steps }) => steps)].flatMap(({ causes }) => causes)
  const unique = new Map(all.filter(({ kind }) => kinds.includes(kind)).map((cause) => [causeText(cause), cause]))
  return [...unique.values()].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind))
}

function differences({ branches }: Report, { upstreamCluster, status }: LogLine): string[] {
  const clusters = branches.flatMap(({ steps }) => steps.filter(({ stage }) => stage === 'cluster').map(({ name }) => name))
  if (upstreamCluster.startsWith('outbound|') && !clusters.includes(upstreamCluster))
    return [
      `the line went to ${upstreamCluster}; the request would not go there now (the line holds no headers: give them with a request instead)`,
    ]
  if (status >= 400 && branches.every((branch) => branch.status === undefined))
    return ['by configuration alone the request reaches a destination now']
  return []
}

function summaryOf(line: LogLine, flags: readonly FlagMeaning[]): string {
  const what = line.method === '' ? 'a connection' : `${line.method} ${line.authority}${line.path}`
  const to =
    line.upstreamCluster === '' ? 'went nowhere' : `went to ${line.upstreamCluster}${line.upstreamHost ? ` (${line.upstreamHost})` : ''}`
  const status = line.status > 0 ? `, answered ${line.status} after ${line.durationMs} ms` : ''
  const why =
    flags.length > 0
      ? `: ${flags.map(({ meaning }) => meaning).join('; ')}`
      : line.details.startsWith('rbac_access_denied')
        ? ': an AuthorizationPolicy denied it'
        : ''
  return `${what} ${to}${status}${why}`
}

export function renderLogReport(report: LogReport, style: 'table' | 'short'): string {
  const { summary, writtenBy, flags, causes, now, notes, line } = report
  if (style === 'short') return summary
  const lines = [summary]
  if (writtenBy) lines.push(`written by the proxy of ${writtenBy.pod} (${writtenBy.direction})`)
  if (line.details !== '') lines.push(`details: ${line.details}${line.failure ? `; ${line.failure}` : ''}`)
  for (const { flag, name, meaning, causes: usual, fix } of flags)
    lines.push('', `${flag} (${name}): ${meaning}`, ...usual.map((cause) => `  usual cause: ${cause}`), `  what to do: ${fix}`)
  if (causes.length > 0) lines.push('', 'objects to look at:', ...causes.map((cause) => `  ${causeText(cause)}`))
  if (now) lines.push('', 'the same request now:', renderReport(now, 'table'))
  if (notes.length > 0) lines.push('', ...notes.map((note) => `note: ${note}`))
  return lines.join('\n')
}
