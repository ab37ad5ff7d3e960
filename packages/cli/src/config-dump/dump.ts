/** Envoy's `/config_dump`: its parts by type. Source: `envoy/admin/v3/config_dump.proto`. */
import { CommandError } from '../shell/exit-codes.ts'
import { at, type Fields, fields, list, text } from './fields.ts'

export type Section =
  | 'BootstrapConfigDump'
  | 'ClustersConfigDump'
  | 'ListenersConfigDump'
  | 'RoutesConfigDump'
  | 'EndpointsConfigDump'
  | 'SecretsConfigDump'
  | 'EcdsConfigDump'

const PREFIX = 'type.googleapis.com/envoy.admin.v3.'

/** A dump that was read; which parts it has is seen when they are asked for. */
export interface ConfigDump {
  /** As it came. */
  readonly json: string
  /** @throws CommandError when the dump has no such part */
  section(name: Section): Fields
  has(name: Section): boolean
}

/** @throws CommandError when `json` is no config dump; `origin` says where it is from */
export function readConfigDump(json: string, origin: string): ConfigDump {
  let document: unknown
  try {
    document = JSON.parse(json)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown fault'
    throw new CommandError(`${origin} is no config dump: ${reason}. Get one with: pilot-agent request GET config_dump`, { cause })
  }
  const sections = new Map<string, Fields>()
  for (const config of list(at(document, 'configs'))) {
    const type = text(fields(config)['@type'])
    if (!type.startsWith(PREFIX)) continue
    const name = type.slice(PREFIX.length)
    sections.set(name, merged(sections.get(name), fields(config)))
  }
  return {
    json,
    has: (name) => sections.has(name),
    section: (name) => {
      const found = sections.get(name)
      if (!found) throw new CommandError(`config dump has no configuration type ${PREFIX}${name} (${origin})`)
      return found
    },
  }
}

/** A dump with `?resource=` has one entry for each resource: their lists are one list. */
function merged(earlier: Fields | undefined, later: Fields): Fields {
  if (!earlier) return later
  const both: Record<string, unknown> = { ...earlier }
  for (const [name, value] of Object.entries(later)) both[name] = Array.isArray(value) ? [...list(both[name]), ...value] : value
  return both
}
