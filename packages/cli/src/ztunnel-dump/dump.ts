/** ztunnel's `/config_dump`: workloads, services, policies, certificates and connections. Source: ztunnel's admin interface. */
import { at, type Fields, fields, list, text } from '../config-dump/fields.ts'
import { CommandError } from '../shell/exit-codes.ts'

export interface ZtunnelDump {
  readonly json: string
  readonly workloads: readonly Fields[]
  readonly services: readonly Fields[]
  readonly policies: readonly Fields[]
  readonly certificates: readonly Fields[]
  /** One for each workload on the node, with its connections. */
  readonly workloadState: readonly Fields[]
}

/** @throws CommandError when `json` is no dump; `origin` says where it is from */
export function readZtunnelDump(json: string, origin: string): ZtunnelDump {
  let document: unknown
  try {
    document = JSON.parse(json)
  } catch (cause) {
    throw new CommandError(`${origin} is no config dump of ztunnel: ${cause instanceof Error ? cause.message : 'unknown fault'}`, { cause })
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new CommandError(
      `${origin} is no config dump of ztunnel: an object with workloads, services, policies and certificates is wanted`,
    )
  }
  return {
    json,
    workloads: entries(at(document, 'workloads')),
    services: entries(at(document, 'services')),
    policies: entries(at(document, 'policies')),
    certificates: entries(at(document, 'certificates')),
    workloadState: entries(at(document, 'workloadState')),
  }
}

/** Older versions write maps where newer ones write lists. */
function entries(value: unknown): Fields[] {
  return (Array.isArray(value) ? list(value) : Object.values(fields(value))).map(fields)
}

/** By namespace, then name. */
export function byName(left: Fields, right: Fields): number {
  return compare(text(left['namespace']), text(right['namespace'])) || compare(text(left['name']), text(right['name']))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
