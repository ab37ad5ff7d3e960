/**
 * Who owns which field: `metadata.managedFields`, kept up to date by every write, and asked by server-side apply.
 *
 * Enters: the live object, the object to be written, and the manager that writes. Leaves: the object with its managers' sets.
 */
import { badRequest, type Cause, StatusError } from '../errors.ts'
import type { Schema } from '../schema/schema.ts'
import { isObj, metadata, now, type Obj, obj, objs, str } from '../values.ts'
import {
  compareFields,
  difference,
  emptySet,
  type FieldSet,
  fieldsOf,
  fromFieldsV1,
  intersection,
  isEmpty,
  merge,
  paths,
  removable,
  removeFields,
  toFieldsV1,
} from './field-set.ts'
import { mergeApplied } from './merge.ts'

export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
}

interface Entry extends Manager {
  set: FieldSet
  time: string
}

/** Fields that nobody owns. */
const STRIPPED_META = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]

/** The part of an object that has owners. */
function ownable(object: Obj): Obj {
  const { apiVersion: _a, kind: _k, ...rest } = object
  const meta: Obj = { ...obj(rest['metadata']) }
  for (const field of STRIPPED_META) delete meta[field]
  if (Object.keys(meta).length > 0) rest['metadata'] = meta
  else delete rest['metadata']
  return rest
}

function read(object: Obj): Entry[] {
  return objs(obj(object['metadata'])['managedFields'])
    .filter((entry) => isObj(entry['fieldsV1']))
    .map((entry) => ({
      name: str(entry['manager']),
      operation: entry['operation'] === 'Apply' ? 'Apply' : 'Update',
      apiVersion: str(entry['apiVersion']),
      subresource: str(entry['subresource']),
      time: str(entry['time']),
      set: fromFieldsV1(entry['fieldsV1']),
    }))
}

function write(object: Obj, entries: readonly Entry[]): void {
  const meta = metadata(object)
  const kept = entries.filter((e) => !isEmpty(e.set))
  if (kept.length === 0) {
    delete meta['managedFields']
    return
  }
  const rank = (e: Entry) => (e.operation === 'Apply' ? 0 : 1)
  meta['managedFields'] = [...kept]
    .sort((a, b) => rank(a) - rank(b) || (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
    .map((e) => ({
      manager: e.name,
      operation: e.operation,
      apiVersion: e.apiVersion,
      time: e.time,
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(e.set),
      ...(e.subresource ? { subresource: e.subresource } : {}),
    }))
}

const same = (a: Manager, b: Manager) =>
  a.name === b.name &&
  a.operation === b.operation &&
  a.subresource === b.subresource &&
  (a.operation === 'Apply' || a.apiVersion === b.apiVersion)

const MAX_UPDATERS = 10

/**
 * Records an ordinary write: what it changed belongs to `manager` now, and to nobody else.
 *
 * @param live the stored object, `undefined` for a new one
 * @param next the object to be written; its `managedFields` are replaced, unless the writer changed them itself
 */
export function recordUpdate(schema: Schema, live: Obj | undefined, next: Obj, manager: Manager): void {
  const meta = metadata(next)
  const given = meta['managedFields']
  // A list with one empty entry is how a client asks for a fresh start.
  const reset = Array.isArray(given) && (given.length === 0 || given.some((e) => isObj(e) && Object.keys(e).length === 0))
  const entries = reset ? [] : read(Array.isArray(given) ? next : (live ?? next))
  const { changed, removed } = compareFields(schema, live ? ownable(live) : {}, ownable(next))
  const touched = emptySet()
  merge(touched, changed)
  merge(touched, removed)
  const all: Entry[] = entries.map((e) =>
    same(e, manager) ? { ...e, set: difference(e.set, removed) } : { ...e, set: difference(e.set, touched) },
  )
  if (!isEmpty(changed)) {
    const mine = all.find((e) => same(e, manager))
    if (mine) {
      merge(mine.set, changed)
      mine.time = now()
    } else all.push({ ...manager, set: changed, time: now() })
  }
  write(next, capped(all))
}

/** Too many one-off updaters are joined into one entry. */
function capped(entries: readonly Entry[]): Entry[] {
  const updaters = entries.filter((e) => e.operation === 'Update').sort((a, b) => (a.time < b.time ? -1 : 1))
  const excess = updaters.slice(0, Math.max(0, updaters.length - MAX_UPDATERS))
  if (excess.length === 0) return [...entries]
  const groups = new Map<string, Entry>()
  for (const entry of excess) {
    const key = `${entry.apiVersion} ${entry.subresource}`
    const group = groups.get(key)
    if (group) merge(group.set, entry.set)
    else groups.set(key, { ...entry, name: 'ancient-changes' })
  }
  return [...entries.filter((e) => !excess.includes(e)), ...groups.values()]
}

/**
 * Server-side apply: the object that results from `config`, with its managers.
 *
 * @param live the stored object, `undefined` when it does not exist yet
 * @throws StatusError 409 naming each conflict, unless `force`
 */
export function applyConfig(schema: Schema, live: Obj | undefined, config: Obj, manager: Manager, force: boolean): Obj {
  if (obj(config['metadata'])['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil')
  const entries = live ? read(live) : []
  const set = fieldsOf(schema, ownable(config))
  set.member = false
  const mine = entries.find((e) => same(e, manager))
  const others = entries.filter((e) => e !== mine)
  const merged = live ? mergeApplied(schema, live, config) : mergeApplied(schema, {}, config)
  const result = isObj(merged) ? merged : {}

  if (live) {
    const { changed } = compareFields(schema, ownable(live), ownable(result))
    const causes: Cause[] = []
    for (const other of others) {
      const both = intersection(other.set, intersection(changed, set))
      for (const field of paths(both)) {
        const using = other.operation === 'Update' ? ` using ${other.apiVersion}${other.time ? ` at ${other.time}` : ''}` : ''
        const by = `${JSON.stringify(other.name)}${other.subresource ? ` with subresource ${JSON.stringify(other.subresource)}` : ''}${using}`
        causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${by}`, field })
      }
    }
    if (causes.length > 0 && !force) throw conflicts(causes)
    if (force) for (const other of others) other.set = difference(other.set, intersection(changed, set))
  }

  let final = result
  if (mine && live) {
    const kept = emptySet()
    merge(kept, set)
    for (const other of others) merge(kept, other.set)
    const pruned = removeFields(schema, result, removable(difference(mine.set, set), kept))
    if (isObj(pruned)) final = pruned
  }
  const unchanged = mine && isEmpty(difference(mine.set, set)) && isEmpty(difference(set, mine.set))
  write(final, [...others, { ...manager, set, time: unchanged ? mine.time : now() }])
  return final
}

function conflicts(causes: readonly Cause[]): StatusError {
  const first = causes[0]
  const byManager = new Map<string, string[]>()
  for (const cause of causes) byManager.set(cause.message, [...(byManager.get(cause.message) ?? []), cause.field ?? ''])
  const text =
    causes.length === 1
      ? `${first?.message ?? ''}: ${first?.field ?? ''}`
      : [...byManager]
          .map(([message, fields]) => `${message.replace(/^conflict with/, 'conflicts with')}:\n${fields.map((f) => `- ${f}`).join('\n')}`)
          .join('\n')
  const count = `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}`
  return new StatusError(409, 'Conflict', `${count}: ${text}`, { causes })
}
