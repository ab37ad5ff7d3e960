/** Deleting objects: grace periods, finalizers, propagation, preconditions. */
import { badRequest, conflict, forbidden, notFound, StatusError } from '../errors.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import { RevisionConflict } from '../storage/store.ts'
import { copy, isObj, list, metadata, now, num, type Obj, obj, str } from '../values.ts'
import { type Core, collectionOf, recordOf, shownAs, type WriteOptions } from './core.ts'

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: string
  readonly uid?: string
  readonly resourceVersion?: string
}

/** From a DeleteOptions body and the query. @throws StatusError */
export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const from = obj(body)
  const grace = from['gracePeriodSeconds'] ?? (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined)
  if (grace !== undefined && grace !== null && (typeof grace !== 'number' || !Number.isInteger(grace) || grace < 0))
    throw badRequest('gracePeriodSeconds must be a whole number of seconds, not negative')
  let policy = str(from['propagationPolicy']) || (query.get('propagationPolicy') ?? '')
  const orphan = from['orphanDependents']
  if (policy === '' && orphan === true) policy = 'Orphan'
  if (policy !== '' && !['Background', 'Foreground', 'Orphan'].includes(policy))
    throw badRequest(`propagationPolicy: Unsupported value: "${policy}": supported values: "Foreground", "Background", "Orphan", "nil"`)
  const uid = str(obj(from['preconditions'])['uid'])
  const resourceVersion = str(obj(from['preconditions'])['resourceVersion'])
  return {
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace } : {}),
    ...(policy ? { propagationPolicy: policy } : {}),
    ...(uid ? { uid } : {}),
    ...(resourceVersion ? { resourceVersion } : {}),
  }
}

const KEPT_NAMESPACES = ['default', 'kube-system', 'kube-public']
const RETRIES = 8

/** The object's last or current state, and whether it is gone. @throws StatusError */
export async function deleteObject(
  core: Core,
  kind: Kind,
  namespace: string,
  name: string,
  how: DeleteOptions,
  options: WriteOptions,
): Promise<{ object: Obj; gone: boolean }> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptDelete(core, kind, namespace, name, how, options)
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error
      if (attempt >= RETRIES) throw conflict(kind, name)
    }
  }
}

async function attemptDelete(
  core: Core,
  kind: Kind,
  namespace: string,
  name: string,
  how: DeleteOptions,
  options: WriteOptions,
): Promise<{ object: Obj; gone: boolean }> {
  const record = recordOf(core, kind, namespace, name)
  if (!record) throw notFound(kind, name)
  const isNamespace = kind.group === '' && kind.kind === 'Namespace'
  if (isNamespace && KEPT_NAMESPACES.includes(name)) throw forbidden(kind, name, 'this namespace may not be deleted')
  const meta = obj(record.object['metadata'])
  if (how.uid && how.uid !== meta['uid'])
    throw conflict(
      kind,
      name,
      `the UID in the precondition (${how.uid}) does not match the UID in record (${str(meta['uid'])}). The object might have been deleted and then recreated`,
    )
  if (how.resourceVersion && how.resourceVersion !== String(record.revision))
    throw conflict(
      kind,
      name,
      `the ResourceVersion in the precondition (${how.resourceVersion}) does not match the ResourceVersion in record (${record.revision}). The object might have been modified`,
    )
  const request = {
    kind,
    operation: 'DELETE' as const,
    subresource: '',
    namespace: kind.namespaced ? namespace : isNamespace ? name : '',
    name,
    object: undefined,
    old: shownAs(kind, record.object),
    user: options.user,
    dryRun: options.dryRun,
    options: {
      apiVersion: 'meta.k8s.io/v1',
      kind: 'DeleteOptions',
      ...(how.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: how.gracePeriodSeconds }),
    },
    warn: options.warn,
  }
  if (core.admission.concerns(request, true)) await core.admission.mutate(request)
  if (core.admission.concerns(request, false)) await core.admission.validate(request)

  const deleting = meta['deletionTimestamp'] !== undefined
  const finalizers = list(meta['finalizers']).filter((f) => f !== 'orphan' && f !== 'foregroundDeletion')
  const policy = how.propagationPolicy
  if (policy === 'Orphan' || (policy === undefined && list(meta['finalizers']).includes('orphan'))) finalizers.push('orphan')
  if (policy === 'Foreground' || (policy === undefined && list(meta['finalizers']).includes('foregroundDeletion')))
    finalizers.push('foregroundDeletion')

  let grace = 0
  if (kind.strategy.grace) {
    const normal = kind.strategy.grace(record.object)
    grace = how.gracePeriodSeconds ?? normal
    if (normal === 0 && how.gracePeriodSeconds === undefined) grace = 0
    if (str(obj(record.object['spec'])['nodeName']) === '') grace = 0
  }
  if (deleting && grace > 0) {
    // A running deletion can only be made shorter.
    const current = num(meta['deletionGracePeriodSeconds'])
    if (how.gracePeriodSeconds === undefined || grace >= current) return { object: record.object, gone: false }
  }
  const pendingNamespace = isNamespace && list(obj(record.object['spec'])['finalizers']).length > 0
  const stays = grace > 0 || finalizers.length > 0 || pendingNamespace
  if (!stays) {
    if (options.dryRun) return { object: record.object, gone: true }
    const last = core.store.remove(collectionOf(core, kind), record)
    if (kind.collection === '/services') core.allocator.release(last.object)
    return { object: last.object, gone: true }
  }
  if (deleting && grace === 0 && num(meta['deletionGracePeriodSeconds']) === 0 && !isChanged(meta, finalizers))
    return { object: record.object, gone: false }
  const next = copy(record.object)
  const nextMeta = metadata(next)
  nextMeta['deletionTimestamp'] =
    deleting && grace === 0 && num(meta['deletionGracePeriodSeconds']) === 0 ? meta['deletionTimestamp'] : now(Date.now() + grace * 1000)
  nextMeta['deletionGracePeriodSeconds'] = grace
  if (finalizers.length > 0) nextMeta['finalizers'] = finalizers
  else delete nextMeta['finalizers']
  if (isNamespace) {
    delete nextMeta['deletionGracePeriodSeconds']
    next['status'] = { ...obj(next['status']), phase: 'Terminating' }
  }
  if (kind.countsGeneration && !deleting) nextMeta['generation'] = num(meta['generation']) + 1
  if (options.dryRun) return { object: next, gone: false }
  return { object: core.store.write(collectionOf(core, kind), next, record.revision).object, gone: false }
}

const isChanged = (meta: Obj, finalizers: readonly unknown[]) => JSON.stringify(list(meta['finalizers'])) !== JSON.stringify(finalizers)

/** The answer to a deletion that took effect at once. */
export function deletedStatus(kind: Kind, object: Obj): Obj {
  const meta = obj(object['metadata'])
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: meta['name'], ...(kind.group ? { group: kind.group } : {}), kind: kind.plural, uid: meta['uid'] },
  }
}

/** Whether the body of a deletion is DeleteOptions (or nothing). @throws StatusError */
export function checkDeleteBody(body: unknown): void {
  if (body === undefined || !isObj(body)) return
  const kind = str(body['kind'])
  if (kind !== '' && kind !== 'DeleteOptions')
    throw new StatusError(
      400,
      'BadRequest',
      `the body of a deletion must be DeleteOptions, not ${kind} ${groupVersion({ group: '', version: str(body['apiVersion']) })}`,
    )
}
