/** What routes, virtual hosts and route configurations do to headers. */
import { HeaderValueOption_HeaderAppendAction as Append, type HeaderValueOption } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { type FormatContext, formatText } from './format.ts'
import type { HeaderChange } from './outcome.ts'

/** A level that changes headers: weighted cluster, route, virtual host, route configuration. */
export interface HeaderLevel {
  readonly requestHeadersToAdd: readonly HeaderValueOption[]
  readonly requestHeadersToRemove: readonly string[]
  readonly responseHeadersToAdd: readonly HeaderValueOption[]
  readonly responseHeadersToRemove: readonly string[]
}

export type Headers = ReadonlyMap<string, readonly string[]>

interface Changed {
  readonly headers: Headers
  readonly changes: readonly HeaderChange[]
}

/** The headers of a request after all levels, in the order given. */
export function changeRequestHeaders(levels: readonly HeaderLevel[], headers: Headers, at: FormatContext): Changed {
  return levels.reduce<Changed>(
    (so, level) =>
      change(so, level.requestHeadersToAdd, level.requestHeadersToRemove, (now) => ({ ...at, request: { ...at.request, headers: now } })),
    { headers, changes: [] },
  )
}

/** What is done to the headers of an answer that has none of them by itself. */
export function responseHeaderChanges(levels: readonly HeaderLevel[], at: FormatContext): readonly HeaderChange[] {
  return levels.reduce<Changed>((so, level) => change(so, level.responseHeadersToAdd, level.responseHeadersToRemove, () => at), {
    headers: new Map(),
    changes: [],
  }).changes
}

/** Envoy removes first, then overwrites, then adds; values are taken from the headers as they were before. */
function change(
  so: Changed,
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  contextWith: (headers: Headers) => FormatContext,
): Changed {
  const next = new Map(so.headers)
  const changes: HeaderChange[] = [...so.changes]
  for (const name of remove) {
    next.delete(name.toLowerCase())
    changes.push({ action: 'remove', name: name.toLowerCase() })
  }
  const before = new Map(next)
  const after = contextWith(before)
  const evaluated = add.flatMap((option) => changeOf(option, after).map((made) => ({ made, action: actionOf(option) })))
  const isAddition = ({ action }: { readonly action: Append }) =>
    action === Append.APPEND_IF_EXISTS_OR_ADD || action === Append.ADD_IF_ABSENT
  for (const { made, action } of [...evaluated.filter((entry) => !isAddition(entry)), ...evaluated.filter(isAddition)]) {
    // Conditions look at the headers before any of this level's changes.
    const known = next.get(made.name)
    if (action === Append.ADD_IF_ABSENT && before.has(made.name)) continue
    if (action === Append.OVERWRITE_IF_EXISTS && !before.has(made.name)) continue
    const value = made.value ?? ''
    next.set(made.name, isAddition({ action }) ? [...(known ?? []), value] : [value])
    changes.push(made)
  }
  return { headers: next, changes }
}

function actionOf({ append, appendAction }: HeaderValueOption): Append {
  if (append !== undefined) return append ? Append.APPEND_IF_EXISTS_OR_ADD : Append.OVERWRITE_IF_EXISTS_OR_ADD
  return appendAction
}

/** Headers whose value comes out empty are left out. */
function changeOf(option: HeaderValueOption, at: FormatContext): HeaderChange[] {
  const { header, keepEmptyValue } = option
  if (!header) return []
  const value = formatText(header.value, at)
  if (value === '' && !keepEmptyValue) return []
  const action = actionOf(option)
  const adds = action === Append.APPEND_IF_EXISTS_OR_ADD || action === Append.ADD_IF_ABSENT
  return [{ action: adds ? 'add' : 'set', name: header.key.toLowerCase(), value }]
}
