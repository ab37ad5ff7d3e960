/** A watch as a stream of JSON lines. */
import { StatusError } from '../errors.ts'
import type { Representation } from '../http/represent.ts'
import type { ApiAnswer } from '../http/request.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import type { StoreEvent } from '../storage/store.ts'
import { makeTable, partial } from '../table/table.ts'
import type { Obj } from '../values.ts'
import { type Core, shownAs } from './core.ts'
import { revisionNumber, type Selection, watchObjects } from './read.ts'

const BOOKMARK_EVERY = 30_000
const MIN_TIMEOUT = 30 * 60

/** @throws StatusError for parameters that are not understood; a revision that is too old is told inside the stream */
export function watchAnswer(
  core: Core,
  kind: Kind,
  selection: Selection,
  query: URLSearchParams,
  representation: Representation,
): ApiAnswer {
  const flag = (name: string) => query.get(name) === 'true' || query.get(name) === '1'
  const bookmarks = flag('allowWatchBookmarks')
  const resourceVersion = query.get('resourceVersion') ?? ''
  revisionNumber(resourceVersion)
  const sendInitialEvents = flag('sendInitialEvents')
  if (sendInitialEvents && query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw new StatusError(
      422,
      'Invalid',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    )
  }
  const asked = Number(query.get('timeoutSeconds') ?? 0)
  const timeout = Number.isFinite(asked) && asked > 0 ? asked : MIN_TIMEOUT * (1 + Math.random())
  const encoder = new EventEncoder(kind, representation)
  return {
    status: 200,
    contentType:
      representation.as === 'object'
        ? 'application/json'
        : `application/json;as=${representation.as === 'table' ? 'Table' : 'PartialObjectMetadata'};g=meta.k8s.io;v=${representation.version}`,
    start: (sink, signal) => {
      let stop: () => void = () => undefined
      let done = false
      const finish = () => {
        if (done) return
        done = true
        stop()
        clearTimeout(ending)
        clearInterval(ticking)
        sink.end()
      }
      const ending = setTimeout(finish, timeout * 1000)
      ending.unref()
      const ticking = setInterval(() => bookmarks && sink.write(encoder.bookmark(core.store.revision, false)), BOOKMARK_EVERY)
      ticking.unref()
      signal.addEventListener('abort', finish, { once: true })
      const send = (text: string) => {
        // A reader that stopped reading must list again; its backlog is not kept.
        if (!done && !sink.write(text)) finish()
      }
      try {
        const ended = watchObjects(
          core,
          kind,
          selection,
          { resourceVersion, sendInitialEvents, bookmarks },
          {
            event: (type, object, source) => send(encoder.event(type, object, source)),
            bookmark: (revision, initial) => send(encoder.bookmark(revision, initial)),
          },
        )
        if (done) ended()
        else stop = ended
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        sink.write(`${JSON.stringify({ type: 'ERROR', object: error.toStatus() })}\n`)
        finish()
      }
    },
  }
}

class EventEncoder {
  readonly #kind: Kind
  readonly #representation: Representation
  #first = true

  constructor(kind: Kind, representation: Representation) {
    this.#kind = kind
    this.#representation = representation
  }

  /** One line; texts of the plain form are shared by all watchers of an event. */
  event(type: string, object: Obj, source: StoreEvent | undefined): string {
    const kind = this.#kind
    if (this.#representation.as === 'object') {
      const key = `${type} ${groupVersion(kind)}`
      const known = source?.encoded.get(key)
      if (known) return known
      const text = `${JSON.stringify({ type, object: shownAs(kind, object) })}\n`
      source?.encoded.set(key, text)
      return text
    }
    return `${JSON.stringify({ type, object: this.#form(object) })}\n`
  }

  #form(object: Obj): Obj {
    const { as, version, include } = this.#representation
    const apiVersion = `meta.k8s.io/${version}`
    if (as === 'metadata') return { ...partial(object), apiVersion }
    const withColumns = this.#first
    this.#first = false
    return { ...makeTable(this.#kind, [object], (o) => shownAs(this.#kind, o), include, {}, withColumns), apiVersion }
  }

  bookmark(revision: number, initial: boolean): string {
    const metadata: Obj = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(initial ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    }
    const { as, version } = this.#representation
    if (as === 'table') {
      const object = {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${version}`,
        metadata,
        columnDefinitions: null,
        rows: [{ cells: [], object: { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata } }],
      }
      return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`
    }
    const kind = as === 'metadata' ? 'PartialObjectMetadata' : this.#kind.kind
    const apiVersion = as === 'metadata' ? `meta.k8s.io/${version}` : groupVersion(this.#kind)
    return `${JSON.stringify({ type: 'BOOKMARK', object: { kind, apiVersion, metadata } })}\n`
  }
}
