/** Reading objects: one, a list in pages, and a watch. */
import { badRequest, gone, notFound, StatusError } from '../errors.ts'
import type { Kind } from '../registry/kind.ts'
import { type FieldRequirement, matches, matchesFields, parseFieldSelector, parseLabelSelector, type Requirement } from '../selectors.ts'
import type { StoredRecord, StoreEvent } from '../storage/store.ts'
import { isObj, type Obj, obj, str } from '../values.ts'
import { type Core, collectionOf, recordOf, shownAs } from './core.ts'

/** Which objects are meant. */
export interface Selection {
  readonly namespace: string | undefined
  readonly labels: readonly Requirement[]
  readonly fields: readonly FieldRequirement[]
}

/** @throws StatusError for selectors that are not understood */
export function selectionOf(kind: Kind, namespace: string | undefined, query: URLSearchParams): Selection {
  return {
    namespace: kind.namespaced ? namespace : undefined,
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: parseFieldSelector(query.get('fieldSelector') ?? '', [
      'metadata.name',
      ...(kind.namespaced ? ['metadata.namespace'] : []),
      ...kind.selectable,
    ]),
  }
}

/** Whether a stored object is selected (its namespace aside). */
export function isSelected(kind: Kind, selection: Selection, object: Obj): boolean {
  if (selection.labels.length > 0 && !matches(selection.labels, obj(object['metadata'])['labels'])) return false
  if (selection.fields.length === 0) return true
  return matchesFields(selection.fields, kind.kind === 'Event' ? eventFields(shownAs(kind, object)) : shownAs(kind, object))
}

/** `source` selects by the source's component. */
function eventFields(event: Obj): Obj {
  return isObj(event['source']) ? { ...event, source: event['source']['component'] } : event
}

export function getObject(core: Core, kind: Kind, namespace: string, name: string): StoredRecord {
  const record = recordOf(core, kind, namespace, name)
  if (!record) throw notFound(kind, name)
  return record
}

export interface ListResult {
  readonly records: readonly StoredRecord[]
  readonly revision: number
  readonly continueToken: string | undefined
  readonly remaining: number | undefined
}

export interface ListQuery {
  readonly limit: number
  readonly continueToken: string
  readonly resourceVersion: string
  readonly match: string
}

/** @throws StatusError 400 for a number that is not one, 410 for a page or revision that is too old */
export function listObjects(core: Core, kind: Kind, selection: Selection, query: ListQuery): ListResult {
  const collection = collectionOf(core, kind)
  let revision = core.store.revision
  let after = ''
  let records: readonly StoredRecord[]
  if (query.continueToken !== '') {
    if (query.resourceVersion !== '' && query.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue')
    const token = parseContinue(query.continueToken)
    after = token.after
    revision = token.revision
    records = collection.listAt(revision, selection.namespace)
  } else {
    const wanted = revisionNumber(query.resourceVersion)
    if (wanted > revision) throw tooNew(wanted, revision)
    if (query.match === 'Exact') {
      if (wanted === 0)
        throw badRequest('resourceVersionMatch: Forbidden: resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
      revision = wanted
      records = collection.listAt(revision, selection.namespace)
    } else records = collection.list(selection.namespace)
  }
  const plain = selection.labels.length === 0 && selection.fields.length === 0
  const selected =
    plain && after === '' ? records : records.filter((r) => r.key > after && (plain || isSelected(kind, selection, r.object)))
  if (query.limit <= 0 || selected.length <= query.limit)
    return { records: selected, revision, continueToken: undefined, remaining: undefined }
  const page = selected.slice(0, query.limit)
  return {
    records: page,
    revision,
    continueToken: Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: page.at(-1)?.key ?? '' })).toString('base64url'),
    remaining: plain ? selected.length - page.length : undefined,
  }
}

function parseContinue(text: string): { revision: number; after: string } {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (isObj(token) && typeof token['rv'] === 'number' && typeof token['start'] === 'string')
      return { revision: token['rv'], after: token['start'] }
  } catch {
    // Answered below.
  }
  throw badRequest('continue key is not valid')
}

/** The number in a resourceVersion parameter; 0 for none. @throws StatusError 400 */
export function revisionNumber(text: string): number {
  if (text === '') return 0
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`resourceVersion: Invalid value: "${text}": invalid resource version`)
  return Number(text)
}

const tooNew = (wanted: number, current: number) =>
  new StatusError(504, 'Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'

/** One event of a watch; `object` is in stored form. */
export interface WatchSink {
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Obj, source: StoreEvent | undefined): void
  /** Everything up to the revision was told; `initial` once after the first state. */
  bookmark(revision: number, initial: boolean): void
}

export interface WatchQuery {
  readonly resourceVersion: string
  readonly sendInitialEvents: boolean
  readonly bookmarks: boolean
}

/**
 * Tells the sink of every change from the asked revision on, until the returned function is called.
 *
 * @throws StatusError 410 when the revision is too old
 */
export function watchObjects(core: Core, kind: Kind, selection: Selection, query: WatchQuery, sink: WatchSink): () => void {
  const collection = collectionOf(core, kind)
  const wanted = revisionNumber(query.resourceVersion)
  if (wanted > core.store.revision) {
    if (query.sendInitialEvents) throw tooNew(wanted, core.store.revision)
    throw gone(`too old resource version: ${wanted} (${core.store.revision}): the revision is from another or a newer store`)
  }
  const selected = (record: StoredRecord | undefined) =>
    record !== undefined &&
    (selection.namespace === undefined || record.namespace === selection.namespace) &&
    isSelected(kind, selection, record.object)
  let after = wanted
  if (query.sendInitialEvents || wanted === 0) {
    after = core.store.revision
    for (const record of collection.list(selection.namespace))
      if (isSelected(kind, selection, record.object)) sink.event('ADDED', record.object, undefined)
    if (query.sendInitialEvents && query.bookmarks) sink.bookmark(after, true)
  }
  return collection.watch(after, (event) => {
    const before = selected(event.previous)
    if (event.type === 'DELETED') {
      if (before) sink.event('DELETED', event.record.object, event)
      return
    }
    const now = selected(event.record)
    if (now) sink.event(before ? 'MODIFIED' : 'ADDED', event.record.object, event)
    // To this watcher the object ceases to exist; its last selected state carries the new revision.
    else if (before && event.previous) {
      const { object } = event.previous
      sink.event(
        'DELETED',
        { ...object, metadata: { ...obj(object['metadata']), resourceVersion: str(String(event.revision)) } },
        undefined,
      )
    }
  })
}
