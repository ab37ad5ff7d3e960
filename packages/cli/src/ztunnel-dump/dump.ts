/** ztunnel's `/config_dump`: workloads, services, policies, certificates and connections. Source: ztunnel's admin interface. */
import { compareText } from '@lateen/base'
import { at, type Fields, fields, list, text } from '../config-dump/fields.ts'
import { objectIn } from '../config-dump/sections.ts'
import { CommandError } from '../shell/exit-codes.ts'

export interface ZtunnelDump {
  /** As it came. */
  readonly source: Buffer
  /** The whole of it; what is damaged is left out. */
  readonly document: unknown
  readonly workloads: readonly Fields[]
  readonly services: readonly Fields[]
  readonly policies: readonly Fields[]
  readonly certificates: readonly Fields[]
  /** One for each workload on the node, with its connections. */
  readonly workloadState: readonly Fields[]
  /** What is missing of it, in a line; undefined when nothing is. */
  readonly damage?: string
}

/** @throws CommandError when `content` is no dump; `origin` says where it is from */
export function readZtunnelDump(content: string | Buffer, origin: string): ZtunnelDump {
  const source = typeof content === 'string' ? Buffer.from(content) : content
  const { document, damage } = parsed(source)
  const isMap = typeof document === 'object' && document !== null && !Array.isArray(document)
  if (!isMap || (damage !== undefined && Object.keys(document).length === 0)) {
    const reason = damage ?? 'an object with workloads, services, policies and certificates is wanted'
    throw new CommandError(`${origin} is no config dump of ztunnel: ${reason}`)
  }
  return {
    source,
    document,
    workloads: entries(at(document, 'workloads')),
    services: entries(at(document, 'services')),
    policies: entries(at(document, 'policies')),
    certificates: entries(at(document, 'certificates')),
    workloadState: entries(at(document, 'workloadState')),
    ...(damage !== undefined && { damage: `${origin} is damaged: ${damage}; what is whole is shown` }),
  }
}

function parsed(source: Buffer): { readonly document: unknown; readonly damage?: string } {
  try {
    return { document: JSON.parse(source.toString('utf8')) }
  } catch {
    const { value, damage = 'it is no JSON' } = objectIn(source)
    return { document: value, damage }
  }
}

/** Older versions write maps where newer ones write lists. */
function entries(value: unknown): Fields[] {
  return (Array.isArray(value) ? list(value) : Object.values(fields(value))).map(fields)
}

/** By namespace, then name. */
export function byName(left: Fields, right: Fields): number {
  return compareText(text(left['namespace']), text(right['namespace'])) || compareText(text(left['name']), text(right['name']))
}
