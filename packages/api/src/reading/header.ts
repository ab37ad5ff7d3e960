/** The parts that every object has: apiVersion, kind, metadata.name. */
import { didYouMean, nearest } from '../diagnostics/suggest.ts'
import { KINDS, kindOf, splitApiVersion } from '../kinds/kinds.ts'
import type { KubeObject } from '../object.ts'
import { RESOURCE_TYPES } from '../resource-types.ts'
import { isObject } from '../schema/read.ts'
import type { Position } from '../validate.ts'
import type { Place, Sayings } from './sayings.ts'

/** Installation settings are read by tools, not kept in the cluster: they need no name. */
const NAMELESS = new Set(['install.istio.io'])

const KNOWN_GROUPS = new Set(Object.values(RESOURCE_TYPES).map(({ group }) => group))

/** The apiVersion that kinds have when an object names none. */
export type ImpliedVersions = ReadonlyMap<string, string>

/** The object, when these parts are there and, for Istio's groups, the kind exists. */
export function readHeader(
  value: Readonly<Record<string, unknown>>,
  said: Sayings,
  positionIn: (path: string) => Position | undefined,
  implied: ImpliedVersions,
): KubeObject | undefined {
  const { kind, metadata } = value
  const meta = isObject(metadata) ? metadata : {}
  const text = (field: unknown) => (typeof field === 'string' ? field : '')
  const object = { kind: text(kind), namespace: text(meta.namespace), name: text(meta.name) }
  const at = (path: string): Place => {
    const position = positionIn(path)
    return { object, path, ...(position && { position }) }
  }
  if (typeof kind !== 'string' || kind === '') {
    said.add('NoKind', at(''))
    return undefined
  }
  const apiVersion = text(value.apiVersion) || implied.get(kind)
  if (apiVersion === undefined) {
    said.add('NoApiVersion', at(''), { hint: apiVersionHint(kind) })
    return undefined
  }
  if (apiVersion !== value.apiVersion)
    said.add('ServerRefuses', at(''), { reason: `apiVersion is missing; write apiVersion: ${apiVersion}` })
  if (!isKnown(apiVersion, kind, said, at)) return undefined
  const named = object.name !== '' || text(meta.generateName) !== '' || NAMELESS.has(splitApiVersion(apiVersion).group)
  if (!named) {
    said.add('NoName', at('metadata'))
    return undefined
  }
  return { ...value, apiVersion, kind, metadata: { ...meta, name: object.name } }
}

function apiVersionHint(kind: string): string {
  const known = KINDS.find((candidate) => candidate.kind === kind)
  return known ? `; write apiVersion: ${known.group}/${known.versions[0]?.name}` : ''
}

/** Of Istio's groups all kinds are known; kinds of other groups are let through. */
function isKnown(apiVersion: string, kind: string, said: Sayings, at: (path: string) => Place): boolean {
  const { group } = splitApiVersion(apiVersion)
  if (kindOf(group, kind)) return true
  const elsewhere = KINDS.find((candidate) => candidate.kind === kind)
  const here = KINDS.filter((candidate) => candidate.group === group).map((candidate) => candidate.kind)
  if (here.length > 0) {
    const near =
      nearest(kind, here) ??
      nearest(
        kind,
        KINDS.map((candidate) => candidate.kind),
      )
    const hint = elsewhere ? `; ${kind} is in ${elsewhere.group}` : near === undefined ? '' : `; did you mean "${near}"?`
    said.add('UnknownKind', at('kind'), { kind, group, hint })
    return false
  }
  const isIstios = (group.endsWith('.istio.io') && !NAMELESS.has(group)) || (elsewhere !== undefined && !KNOWN_GROUPS.has(group))
  if (!isIstios) return true
  const groups = [...new Set(KINDS.map((candidate) => candidate.group))]
  said.add('UnknownGroup', at('apiVersion'), { group, hint: elsewhere ? `; ${kind} is in ${elsewhere.group}` : didYouMean(group, groups) })
  return false
}
