/** What `ca status` and `ca rotate` say of the record. */
import { type Phase, type ReplicaReport, type RootFacts, type Rotation, type RotationRecord, subjectOf } from '@lateen/ca'
import { definitions } from '../../render/table.ts'

export interface CaReport {
  readonly origin: string
  readonly root: Certificate
  readonly signer: Certificate
  /** Who signs for workloads in place of this CA. */
  readonly outside?: { readonly name: string; readonly roots: readonly Certificate[] }
  /** When the first of its revocation lists ends. */
  readonly listsEnd?: string
  readonly rotation?: RotationReport
  readonly last?: { readonly reason: string; readonly root: string; readonly endedAt: string }
}

export interface Certificate {
  readonly subject: string
  readonly fingerprint: string
  readonly expires: string
  readonly daysLeft: number
}

export interface RotationReport {
  readonly phase: Phase
  readonly step: string
  readonly reason: string
  readonly from: string
  readonly to: string
  readonly startedAt: string
  readonly proxies: { readonly total: number; readonly ready: number }
  readonly waitingFor: string
}

const DAY_MS = 86_400_000
const PHASES: readonly Phase[] = ['distribute', 'issue', 'retire']

export function reportOf({ inForce, outside, rotation, last, replicas }: RotationRecord, now: number): CaReport | undefined {
  if (!inForce) return undefined
  const certificate = ({ subject, fingerprint, expires }: RootFacts): Certificate => ({
    subject,
    fingerprint,
    expires,
    daysLeft: Math.floor((Date.parse(expires) - now) / DAY_MS),
  })
  return {
    origin: inForce.origin,
    root: certificate(inForce),
    signer: certificate(inForce.signer),
    ...(inForce.listsEnd ? { listsEnd: inForce.listsEnd } : {}),
    ...(outside ? { outside: { name: outside.name, roots: outside.roots.map(certificate) } } : {}),
    ...(rotation ? { rotation: rotationReport(rotation, Object.values(replicas)) } : {}),
    ...(last ? { last: { reason: last.reason, root: last.next.subject, endedAt: new Date(last.endedAt).toISOString() } } : {}),
  }
}

function rotationReport(rotation: Rotation, reports: readonly ReplicaReport[]): RotationReport {
  const { phase, reason, old, next, startedAt, waitingFor = '' } = rotation
  const about = reports.filter((report) => report.about === subjectOf(rotation))
  const sum = (field: 'total' | 'ready') => about.reduce((all, report) => all + report[field], 0)
  return {
    phase,
    step: `${PHASES.indexOf(phase) + 1} of ${PHASES.length}`,
    reason,
    from: old.subject,
    to: next.subject,
    startedAt: new Date(startedAt).toISOString(),
    proxies: { total: sum('total'), ready: sum('ready') },
    waitingFor,
  }
}

const WORDS: Readonly<Record<Phase, string>> = {
  distribute: 'proxies learn the new root',
  issue: 'proxies get certificates of the new root',
  retire: 'the old root is taken away',
}

/** One line of progress. */
export function progressLine({ phase, step, proxies, waitingFor }: RotationReport): string {
  const wait = waitingFor ? `; waiting for ${waitingFor}` : ''
  return `${step}: ${WORDS[phase]}, ${proxies.ready} of ${proxies.total} proxies${wait}`
}

export function renderReport(report: CaReport): string {
  const { origin, root, signer, listsEnd, outside, rotation, last } = report
  const lines: [string, string][] = [
    ...(outside ? ([['Workloads:', `signed by ${outside.name}`]] satisfies [string, string][]) : []),
    ...(outside?.roots ?? []).map((each): [string, string] => ['Their root:', shown(each)]),
    [outside ? 'Own CA:' : 'CA:', origin],
    ['Root:', shown(root)],
    ...(signer.fingerprint === root.fingerprint ? [] : ([['Signs with:', shown(signer)]] satisfies [string, string][])),
    ['Fingerprint:', root.fingerprint],
    ...(listsEnd ? ([['Revocation lists:', `end ${listsEnd}`]] satisfies [string, string][]) : []),
  ]
  if (rotation) {
    lines.push(['Changing to:', `${rotation.to} (${rotation.reason}, since ${rotation.startedAt})`], ['Progress:', progressLine(rotation)])
  } else if (last) lines.push(['Last change:', `${last.endedAt}, to ${last.root} (${last.reason})`])
  return definitions(lines)
}

const shown = ({ subject, expires, daysLeft }: Certificate): string =>
  `${subject}, ${daysLeft < 0 ? 'EXPIRED' : 'expires'} ${expires} (${daysLeft} days${daysLeft < 30 ? ', replace it soon' : ''})`
