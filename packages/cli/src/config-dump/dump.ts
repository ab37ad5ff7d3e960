/** Envoy's `/config_dump`: its parts by type. Source: `envoy/admin/v3/config_dump.proto`. */
import { CommandError } from '../shell/exit-codes.ts'
import { at, type Fields, fields, list, text } from './fields.ts'
import { type Section, sectionsOf } from './sections.ts'

export type SectionName =
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
  /** As it came, in pieces. */
  source(): Iterable<string>
  /** The whole of it; what is damaged is left out. */
  document(): unknown
  /** @throws CommandError when the dump has no such part */
  section(name: SectionName): Fields
  has(name: SectionName): boolean
  /** What is missing of it, in a line; undefined when nothing is. */
  readonly damage?: string
}

export interface DumpOptions {
  /** What of a damaged dump is whole is read, and the damage told; by default such a dump is refused. */
  readonly damaged?: 'read'
  /** Above this, only the parts that are asked for are parsed. Default: 64 MiB. */
  readonly wholeBytes?: number
}

const WHOLE_BYTES = 64 * 1024 * 1024

/** @throws CommandError when `source` is no config dump; `origin` says where it is from */
export function readConfigDump(source: string | Buffer, origin: string, options: DumpOptions = {}): ConfigDump {
  const bytes = typeof source === 'string' ? Buffer.from(source) : source
  const document = bytes.length <= (options.wholeBytes ?? WHOLE_BYTES) ? parsed(bytes) : undefined
  if (document !== undefined) {
    const sections = list(at(document, 'configs')).map((config) => ({ type: text(fields(config)['@type']), read: () => fields(config) }))
    return dumpOf(bytes, origin, { sections })
  }
  const { sections, damage } = sectionsOf(bytes)
  if (damage === undefined) return dumpOf(bytes, origin, { sections })
  if (sections.length === 0 || options.damaged !== 'read') {
    throw new CommandError(`${origin} is no config dump: ${damage}. Get one with: pilot-agent request GET config_dump`)
  }
  return dumpOf(bytes, origin, { sections, damage: `${origin} is damaged: ${damage}; what is whole is shown` })
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

interface Contents {
  readonly sections: readonly Section[]
  readonly damage?: string
}

function dumpOf(bytes: Buffer, origin: string, { sections, damage }: Contents): ConfigDump {
  const named = (name: SectionName) => sections.filter(({ type }) => type === PREFIX + name)
  return {
    source: () => pieces(bytes),
    document: () => ({ configs: sections.map((section) => section.read()) }),
    has: (name) => named(name).length > 0,
    section: (name) => {
      const found = named(name)
      if (found.length === 0) throw new CommandError(`config dump has no configuration type ${PREFIX}${name} (${origin})`)
      return found.map((section) => section.read()).reduce(merged)
    },
    ...(damage !== undefined && { damage }),
  }
}

const PIECE_BYTES = 1024 * 1024

function* pieces(bytes: Buffer): Generator<string> {
  const decoder = new TextDecoder()
  for (let from = 0; from < bytes.length; from += PIECE_BYTES)
    yield decoder.decode(bytes.subarray(from, from + PIECE_BYTES), { stream: true })
}

/** A dump with `?resource=` has one entry for each resource: their lists are one list. */
function merged(earlier: Fields, later: Fields): Fields {
  const both: Record<string, unknown> = { ...earlier }
  for (const [name, value] of Object.entries(later)) both[name] = Array.isArray(value) ? [...list(both[name]), ...value] : value
  return both
}
