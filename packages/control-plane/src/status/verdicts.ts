/**
 * What proxies think of an object, as its condition `Programmed`: False with Envoy's words while some proxy refuses what the object
 * makes; True again when none does.
 */
import type { KubeObject } from '@lateen/api'
import { logger, type ObjectRef, objectName } from '@lateen/base'
import type { StatusWriter } from '@lateen/config'
import type { ObjectRejection, RejectionListener } from '../xds/rejections.ts'

export interface Verdicts extends RejectionListener {
  /** Looks for conditions that an earlier leader left and that no proxy stands for any more. */
  inspect(object: KubeObject): void
  lead(signal: AbortSignal): void
  stop(): void
}

export const PROGRAMMED = 'Programmed'
export const REJECTED = 'RejectedByProxy'

const log = logger('status')
/** How long proxies have to connect and refuse again before what an earlier leader wrote is taken back. */
const GRACE_MS = 30_000
const MAX_REMEMBERED = 2_000

export function createVerdicts(writer: StatusWriter, isRefused: (object: ObjectRef) => boolean): Verdicts {
  /** Objects whose status says that proxies refuse them. */
  const marked = new Map<string, ObjectRef>()
  let timer: NodeJS.Timeout | undefined
  const accept = (object: ObjectRef) => {
    marked.delete(objectName(object))
    writer.set(object, { type: PROGRAMMED, status: 'True', reason: 'Accepted', message: 'no proxy refuses this configuration' })
  }
  return {
    rejected: ({ object, resource, message, nodeId }: ObjectRejection) => {
      const proxy = nodeId.split('~')[2] ?? nodeId
      if (!marked.has(objectName(object))) log.warn(`${objectName(object)}: proxy ${proxy} refuses ${resource}: ${message}`)
      if (marked.size < MAX_REMEMBERED) marked.set(objectName(object), object)
      writer.set(object, { type: PROGRAMMED, status: 'False', reason: REJECTED, message: `proxy ${proxy} refuses ${resource}: ${message}` })
    },
    cleared: accept,
    inspect: (object) => {
      const ref = { kind: object.kind, namespace: object.metadata.namespace ?? '', name: object.metadata.name }
      if (isMarked(object) && marked.size < MAX_REMEMBERED) marked.set(objectName(ref), ref)
    },
    lead: (signal) => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        for (const object of [...marked.values()]) if (!signal.aborted && !isRefused(object)) accept(object)
      }, GRACE_MS)
      timer.unref()
    },
    stop: () => clearTimeout(timer),
  }
}

function isMarked({ status }: KubeObject): boolean {
  if (typeof status !== 'object' || status === null || !('conditions' in status) || !Array.isArray(status.conditions)) return false
  return status.conditions.some(
    (condition: unknown) =>
      typeof condition === 'object' &&
      condition !== null &&
      'type' in condition &&
      condition.type === PROGRAMMED &&
      'reason' in condition &&
      condition.reason === REJECTED,
  )
}
