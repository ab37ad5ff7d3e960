/** WorkloadEntries of workloads that come by themselves: what is written for one, who may speak for it, when it has to go. Values only. */
import { type KubeObject, objectKey, type WorkloadEntrySpec, type WorkloadGroupSpec } from '@lateen/api'
import type { XdsNode } from '@lateen/xds'

/** The group that an entry was made from. */
export const GROUP = 'istio.io/autoRegistrationGroup'
/** The control plane that the workload is, or was last, connected to. */
export const CONTROLLER = 'istio.io/workloadController'
export const CONNECTED_AT = 'istio.io/connectedAt'
export const DISCONNECTED_AT = 'istio.io/disconnectedAt'
/** On entries whose workload counts only while its agent reports it healthy. */
export const HEALTH_CHECKED = 'proxy.istio.io/health-checks-enabled'
const HEALTHY = 'Healthy'

const LONGEST_NAME = 253
const LONGEST_MESSAGE = 1000

/** What a proxy says of the workload that it is beside. */
export interface Claim {
  readonly id: string
  readonly namespace: string
  readonly address: string
  readonly network: string
  /** `region/zone/sub-zone`, as far as known. */
  readonly locality: string
  readonly labels: Readonly<Record<string, string>>
  /** The WorkloadGroup to make an entry from; empty where none is to be made. */
  readonly group: string
  /** The name of the entry that is there already; empty where none is named. */
  readonly entry: string
  /** Its agent is told how to probe it. */
  readonly isProbed: boolean
}

/** A service account that was proven. */
export interface ProvenAccount {
  readonly namespace: string
  readonly serviceAccount: string
}

/** What a node claims, where it claims to be a workload with an entry. */
export function claimOf({ id, metadata, locality }: XdsNode): Claim | undefined {
  const claim: Claim = {
    id,
    namespace: text(metadata['NAMESPACE']),
    address: text(metadata['INSTANCE_IPS']).split(',')[0] || (id.split('~')[1] ?? ''),
    network: text(metadata['NETWORK']),
    locality: [locality.region, locality.zone, locality.subZone].join('/').replace(/\/+$/, ''),
    labels: texts(metadata['LABELS']),
    group: text(metadata['AUTO_REGISTER_GROUP']),
    entry: text(metadata['WORKLOAD_ENTRY']),
    isProbed: record(record(metadata['PROXY_CONFIG'])?.['readinessProbe']) !== undefined,
  }
  return (claim.group || claim.entry) && claim.namespace && claim.address ? claim : undefined
}

/** The entry's name: `group-address[-network]`, shortened at its beginning. */
export function entryName({ group, address, network, entry }: Claim): string {
  if (!group) return entry
  const name = [group, address.replaceAll(':', '-'), ...(network ? [network] : [])].join('-')
  return name.slice(-LONGEST_NAME)
}

/** The entry of a workload, from its group; what the workload says of itself goes before what the group says. */
export function entryOfGroup(claim: Claim, group: KubeObject<WorkloadGroupSpec>, connected: object): KubeObject<WorkloadEntrySpec> {
  const { template = {}, metadata = {} } = group.spec ?? {}
  const labels = { ...template.labels, ...metadata.labels, ...claim.labels }
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      name: entryName(claim),
      namespace: claim.namespace,
      labels,
      annotations: {
        [GROUP]: group.metadata.name,
        ...metadata.annotations,
        ...(claim.isProbed && { [HEALTH_CHECKED]: 'true' }),
        ...connected,
      },
      ownerReferences: [
        { apiVersion: group.apiVersion, kind: group.kind, name: group.metadata.name, uid: group.metadata.uid ?? '', controller: true },
      ],
    },
    spec: {
      ...template,
      address: claim.address,
      labels,
      ...(claim.network && { network: claim.network }),
      ...(claim.locality && { locality: claim.locality }),
    },
  }
}

/** Why a proxy may not speak for an entry; nothing when it may. */
export function objection(proven: ProvenAccount | undefined, entry: KubeObject<WorkloadEntrySpec>): string | undefined {
  const { namespace = '', name } = entry.metadata
  const account = entry.spec?.serviceAccount
  if (!proven) return `WorkloadEntry ${namespace}/${name} can be registered only by a proven identity: connect over TLS, to port 15012`
  if (proven.namespace !== namespace)
    return `WorkloadEntry ${namespace}/${name} is of another namespace than the proven identity, which is of "${proven.namespace}"`
  if (account && account !== proven.serviceAccount)
    return `WorkloadEntry ${namespace}/${name} is for the service account "${account}", but the proven identity is "${proven.serviceAccount}"`
  return undefined
}

export const connected = (controller: string, atMs: number) => ({
  [CONTROLLER]: controller,
  [CONNECTED_AT]: new Date(atMs).toISOString(),
  [DISCONNECTED_AT]: null,
})

export const disconnected = (atMs: number) => ({ [CONNECTED_AT]: null, [DISCONNECTED_AT]: new Date(atMs).toISOString() })

/** When the workload last connected; not a number where it is not connected. */
export const connectedAt = (entry: KubeObject): number => Date.parse(annotation(entry, CONNECTED_AT))

export const isControlledBy = (entry: KubeObject, controller: string): boolean => annotation(entry, CONTROLLER) === controller

export const isRegistered = (entry: KubeObject): boolean => annotation(entry, GROUP) !== ''

/** Whether somebody has asked for reports of health, whatever they are used for. */
export const takesReports = (entry: KubeObject): boolean => entry.metadata.annotations?.[HEALTH_CHECKED] !== undefined

export interface Periods {
  /** How long an entry stays without its workload. */
  readonly graceMs: number
  /** After so long every proxy has connected anew. */
  readonly maxAgeMs: number
}

/** What becomes of an entry: those that nobody has come back for go, and of those that were written by hand the health. */
export function fateOf(entry: KubeObject, nowMs: number, { graceMs, maxAgeMs }: Periods): 'stays' | 'goes' | 'loses its health' {
  const registered = isRegistered(entry)
  if (!registered && (annotation(entry, CONTROLLER) === '' || !conditionsOf(entry).some(({ type }) => type === HEALTHY))) return 'stays'
  const since = connectedAt(entry)
  // Both the workload and its control plane ended before anybody could write it down.
  const isForgotten = nowMs - since > 1.5 * maxAgeMs
  const isOver = Number.isNaN(since) && nowMs - Date.parse(annotation(entry, DISCONNECTED_AT)) >= graceMs
  if (!isForgotten && !isOver) return 'stays'
  return registered ? 'goes' : 'loses its health'
}

interface Condition {
  readonly type: string
  readonly [field: string]: unknown
}

/** The conditions of an entry after a report. @param problem what is wrong; nothing when the workload is healthy */
export function conditionsAfter(entry: KubeObject, problem: string | undefined, atMs: number): Condition[] {
  const time = new Date(atMs).toISOString()
  const healthy = {
    type: HEALTHY,
    status: problem === undefined ? 'True' : 'False',
    lastProbeTime: time,
    lastTransitionTime: time,
    ...(problem !== undefined && { message: problem.slice(0, LONGEST_MESSAGE) }),
  }
  return [...conditionsWithoutHealth(entry), healthy]
}

export const conditionsWithoutHealth = (entry: KubeObject): Condition[] => conditionsOf(entry).filter(({ type }) => type !== HEALTHY)

function conditionsOf({ status }: KubeObject): Condition[] {
  const conditions = record(status)?.['conditions']
  return Array.isArray(conditions) ? conditions.filter((entry): entry is Condition => typeof record(entry)?.['type'] === 'string') : []
}

export const keyOf = (entry: KubeObject): string => objectKey(entry)

const annotation = (entry: KubeObject, name: string): string => entry.metadata.annotations?.[name] ?? ''
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(record(value) ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined
}
