/**
 * How far a change of the mesh's root has come, as it is kept in ConfigMap `istio-ca-rotation`: for replicas to act alike, for a
 * control plane that was killed to go on where it was, and for `lateen ca status` to show. The keys of both CAs are in the Secret of
 * the same name while the change is under way.
 */

/**
 * `distribute`: proxies are given the new root beside the old, and the old CA signs. `issue`: the new CA signs and proxies get new
 * certificates. `retire`: the old root is taken away.
 */
export type Phase = 'distribute' | 'issue' | 'retire'

export type Reason = 'requested' | 'replaced' | 'expiring' | 'aborted'

/** A root, told apart by its fingerprint. */
export interface RootFacts {
  readonly fingerprint: string
  readonly subject: string
  /** RFC 3339. */
  readonly expires: string
}

export interface Rotation {
  readonly id: string
  readonly phase: Phase
  readonly reason: Reason
  readonly old: RootFacts
  readonly next: RootFacts
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly phaseAt: number
  /** Whoever asked for it wants this phase over without waiting for proxies that do not answer. */
  readonly forced?: boolean
  /** It was aborted and goes back: `old` and `next` have changed places, and so have the CAs that are kept. */
  readonly back?: boolean
  /** What the phase waits for, in words. */
  readonly waitingFor?: string
}

/** What proxies of one replica have acknowledged. */
export interface ReplicaReport {
  /** `<rotation>/<phase>` that this speaks of. */
  readonly about: string
  readonly total: number
  readonly ready: number
  /** Proxies whose agent does not speak of trust: those of Istio itself, proxyless clients. */
  readonly unaware: number
  /** Some of those that are not ready. */
  readonly waiting: readonly string[]
  readonly at: number
  /** Since when this replica has been open to proxies. */
  readonly since: number
}

/** A CA that is not the control plane's. */
export interface OutsideCa {
  /** In words, as `the signer example.com/mesh of the Kubernetes API`. */
  readonly name: string
  /** As far as they are known. */
  readonly roots: readonly RootFacts[]
}

export interface RotationRequest {
  readonly action: 'rotate' | 'abort' | 'force'
  readonly id: string
}

export interface RotationRecord {
  /** The root that certificates were issued under when nothing was under way. */
  readonly inForce?: RootFacts & {
    readonly rootsPem: string
    readonly origin: string
    readonly signer: RootFacts
    /** RFC 3339: when the first of its revocation lists ends; absent without lists. */
    readonly listsEnd?: string
  }
  /** Who signs for workloads in place of the CA in force, which then vouches for the control plane alone, if for anything. */
  readonly outside?: OutsideCa
  readonly rotation?: Rotation
  /** How the last one ended. */
  readonly last?: Pick<Rotation, 'id' | 'reason' | 'old' | 'next' | 'startedAt'> & { readonly endedAt: number }
  readonly request?: RotationRequest
  /** The last request that was answered, and with what. */
  readonly answer?: { readonly id: string; readonly message: string }
  readonly replicas: Readonly<Record<string, ReplicaReport>>
}

export const ROTATION_NAME = 'istio-ca-rotation'

const REPLICA = 'replica.'
const PARTS = ['inForce', 'outside', 'rotation', 'last', 'request', 'answer'] as const

/** The record as the data of a ConfigMap. */
export function recordToData(record: RotationRecord): Record<string, string> {
  const parts = PARTS.flatMap((key) => (record[key] === undefined ? [] : [[key, JSON.stringify(record[key])] as const]))
  const replicas = Object.entries(record.replicas).map(([name, report]) => [REPLICA + name, JSON.stringify(report)] as const)
  return Object.fromEntries([...parts, ...replicas])
}

/** Reads it back; a part that cannot be read counts as not there. */
export function recordFromData(data: unknown): RotationRecord {
  const fields = isObject(data) ? data : {}
  const parts = Object.fromEntries(PARTS.flatMap((key) => withValue(key, parseObject(fields[key]))))
  const replicas = Object.entries(fields).flatMap(([key, text]) =>
    key.startsWith(REPLICA) ? withValue(key.slice(REPLICA.length), parseObject(text)) : [],
  )
  // The control plane alone writes it, and `parts` holds what `recordToData` made of a record.
  return { ...(parts as Omit<RotationRecord, 'replicas'>), replicas: Object.fromEntries(replicas) as RotationRecord['replicas'] }
}

const withValue = (key: string, value: object | undefined): [string, object][] => (value ? [[key, value]] : [])

function parseObject(text: unknown): object | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export const replicaKey = (name: string): string => REPLICA + name.replaceAll(/[^A-Za-z0-9._-]/g, '_')

/** What reports are about in a phase. */
export const subjectOf = ({ id, phase, back }: Pick<Rotation, 'id' | 'phase' | 'back'>): string => `${id}/${phase}${back ? '/back' : ''}`

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
