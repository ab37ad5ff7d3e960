/**
 * Creating, changing and applying objects: one pipeline for every kind.
 *
 * Enters: parsed bodies. Leaves: stored records. Order: decode and default, mutating webhooks, the kind's own preparation and
 * checks, field owners, validating webhooks, store. Nothing is stored unless all of it went well.
 */

import type { AdmissionRequest, Operation } from '../admission/admission.ts'
import { applyConfig, type Manager, recordUpdate } from '../apply/managed-fields.ts'
import {
  alreadyExists,
  badRequest,
  conflict,
  type FieldError,
  forbidden,
  invalid,
  invalidObject,
  notFound,
  required,
  StatusError,
  tooLarge,
} from '../errors.ts'
import { checkAnnotations, checkLabels } from '../kinds/names.ts'
import { suffix } from '../kinds/pod.ts'
import { checkName } from '../kinds/strategies.ts'
import { groupVersion, type Kind, type WriteContext } from '../registry/kind.ts'
import { decode, TypeMismatch } from '../schema/decode.ts'
import { RevisionConflict, type StoredRecord, storeKey } from '../storage/store.ts'
import { at, copy, equal, isObj, list, metadata, now, num, type Obj, obj, objs, str } from '../values.ts'
import { type Core, collectionOf, recordOf, shownAs, storedAs, type WriteOptions } from './core.ts'

const MAX_STORED = 1.5 * 1024 * 1024
const RETRIES = 8

export interface Written {
  /** In stored form. */
  readonly object: Obj
  readonly created: boolean
}

function writeContext(core: Core, options: WriteOptions): WriteContext {
  return {
    dryRun: options.dryRun,
    user: options.user.name,
    read: (collection, namespace, name) => core.store.collection(collection).get(storeKey(namespace, name))?.object,
  }
}

/** The body as an object of the kind, without unknown fields. @throws StatusError 400 */
export function decodeObject(kind: Kind, body: unknown, options: Pick<WriteOptions, 'fieldValidation' | 'warn'>): Obj {
  if (!isObj(body)) throw badRequest(`the body must be one ${kind.kind} object`)
  const version = groupVersion(kind)
  const apiVersion = str(body['apiVersion']) || version
  const kindName = str(body['kind']) || kind.kind
  if (kindName !== kind.kind || apiVersion !== version) {
    throw badRequest(
      kindName !== kind.kind
        ? `${kindName} in version "${apiVersion.split('/').at(-1)}" cannot be handled as a ${kind.kind}: the kind in the data (${kindName}) does not match the expected kind (${kind.kind})`
        : `the API version in the data (${apiVersion}) does not match the expected API version (${version})`,
    )
  }
  if (body['metadata'] !== undefined && body['metadata'] !== null && !isObj(body['metadata']))
    throw badRequest(`${kind.kind}: metadata must be an object`)
  const unknown: string[] = []
  let decoded: unknown
  try {
    decoded = decode(
      kind.schema,
      { ...body, apiVersion: version, kind: kind.kind },
      '',
      { unknown: (path) => unknown.push(path), lenient: kind.custom !== undefined },
      true,
    )
    if (kind.custom && isObj(decoded)) decodeMetadata(decoded)
  } catch (error) {
    if (error instanceof TypeMismatch)
      throw badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${error.message}`)
    throw error
  }
  if (unknown.length > 0 && options.fieldValidation === 'Strict') {
    const listed = unknown.slice(0, 20).map((path) => `unknown field "${path}"`)
    throw badRequest(
      kind.custom
        ? `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${listed.join(', ')}`
        : `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${listed.join(', ')}`,
    )
  }
  if (options.fieldValidation === 'Warn') for (const path of unknown.slice(0, 20)) options.warn(`unknown field "${path}"`)
  const object = isObj(decoded) ? decoded : {}
  metadata(object)
  return object
}

/** Metadata of custom objects is typed even where their own fields are checked later. */
function decodeMetadata(object: Obj): void {
  const meta = object['metadata']
  if (!isObj(meta)) return
  for (const field of ['labels', 'annotations']) {
    const map = meta[field]
    if (map === null) delete meta[field]
    else if (map !== undefined && !isObj(map)) throw new TypeMismatch(`metadata.${field}`, map, 'map[string]string')
    else
      for (const [key, value] of Object.entries(obj(map)))
        if (typeof value !== 'string') throw new TypeMismatch(`metadata.${field}.${key}`, value, 'string')
  }
  for (const field of Object.keys(meta)) if (meta[field] === null) delete meta[field]
}

function applyDefaults(kind: Kind, object: Obj): void {
  kind.custom?.applyDefaults(object)
  kind.strategy.defaults?.(object)
}

function cleanMetadata(object: Obj): void {
  const meta = metadata(object)
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields']) {
    const value = meta[field]
    if (
      value === null ||
      value === undefined ||
      (field !== 'managedFields' && (Array.isArray(value) ? value.length === 0 : isObj(value) && Object.keys(value).length === 0))
    )
      delete meta[field]
  }
  for (const field of Object.keys(meta)) if (meta[field] === null || meta[field] === undefined || meta[field] === '') delete meta[field]
  delete meta['selfLink']
}

function checkMetadata(kind: Kind, object: Obj): FieldError[] {
  const meta = metadata(object)
  const errors: FieldError[] = []
  const name = str(meta['name'])
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'))
  else errors.push(...checkName(kind.group, kind.kind, name))
  errors.push(...checkLabels(meta['labels'], 'metadata.labels'), ...checkAnnotations(meta['annotations'], 'metadata.annotations'))
  objs(meta['ownerReferences']).forEach((ref, i) => {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'])
      if (str(ref[field]) === '') errors.push(invalid(`metadata.ownerReferences[${i}].${field}`, '', 'must not be empty'))
  })
  if (objs(meta['ownerReferences']).filter((r) => r['controller'] === true).length > 1) {
    errors.push(invalid('metadata.ownerReferences', meta['ownerReferences'], 'Only one reference can have Controller set to true.'))
  }
  for (const finalizer of list(meta['finalizers'])) {
    if (typeof finalizer !== 'string' || !/^([a-z0-9.-]+\/)?[A-Za-z0-9][-A-Za-z0-9_.]*$/.test(finalizer))
      errors.push(invalid('metadata.finalizers', finalizer, 'must be a qualified name'))
  }
  return errors
}

const nameOf = (object: Obj) => str(at(object, 'metadata', 'name'))

function admissionRequest(
  kind: Kind,
  operation: Operation,
  subresource: string,
  object: Obj | undefined,
  old: Obj | undefined,
  options: WriteOptions,
): AdmissionRequest {
  const meta = obj((object ?? old)?.['metadata'])
  return {
    kind,
    operation,
    subresource,
    namespace: kind.namespaced ? str(meta['namespace']) : kind.kind === 'Namespace' ? str(meta['name']) : '',
    name: str(meta['name']),
    object,
    old,
    user: options.user,
    dryRun: options.dryRun,
    options: { ...(options.dryRun ? { dryRun: ['All'] } : {}), ...(options.fieldManager ? { fieldManager: options.fieldManager } : {}) },
    warn: options.warn,
  }
}

async function mutate(core: Core, request: AdmissionRequest, options: WriteOptions): Promise<Obj> {
  if (!core.admission.concerns(request, true)) return request.object ?? {}
  const changed = await core.admission.mutate(request)
  if (!changed || changed === request.object) return request.object ?? {}
  const decoded = decodeObject(request.kind, changed, { fieldValidation: 'Ignore', warn: options.warn })
  applyDefaults(request.kind, decoded)
  return decoded
}

/** Refuses new objects in a namespace that is missing or being deleted. */
function checkNamespace(core: Core, kind: Kind, namespace: string, name: string): void {
  if (!kind.namespaced) return
  const found = core.store.collection('/namespaces').get(namespace)
  if (!found) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace)
  if (at(found.object, 'metadata', 'deletionTimestamp') !== undefined) {
    const refusal = forbidden(kind, name, `unable to create new content in namespace ${namespace} because it is being terminated`)
    throw new StatusError(403, 'Forbidden', refusal.message, {
      ...refusal.details,
      causes: [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }],
    })
  }
}

/** Stores a new object. @throws StatusError */
export async function createObject(
  core: Core,
  kind: Kind,
  namespace: string,
  body: unknown,
  options: WriteOptions,
  apply?: Manager,
): Promise<Written> {
  let object = decodeObject(kind, body, options)
  const meta = metadata(object)
  placeIn(kind, meta, namespace)
  if (str(meta['resourceVersion']) !== '' && str(meta['resourceVersion']) !== '0')
    throw badRequest('resourceVersion should not be set on objects to be created')
  const generated = str(meta['name']) === '' && str(meta['generateName']) !== ''
  if (generated) meta['name'] = `${str(meta['generateName']).slice(0, 58)}${suffix()}`
  checkNamespace(core, kind, namespace, str(meta['name']))
  applyDefaults(kind, object)
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'resourceVersion']) delete meta[field]
  const uid = crypto.randomUUID()
  const created = now()
  object = await mutate(core, admissionRequest(kind, 'CREATE', '', object, undefined, options), options)
  const finalMeta = metadata(object)
  placeIn(kind, finalMeta, namespace)
  finalMeta['uid'] = uid
  finalMeta['creationTimestamp'] = created
  if (kind.countsGeneration) finalMeta['generation'] = 1
  else delete finalMeta['generation']
  if (kind.hasStatus && (kind.custom || !kind.strategy.prepareCreate)) {
    if (kind.custom) delete object['status']
    else if (kind.collection !== '/nodes') object['status'] = {}
  }
  kind.strategy.prepareCreate?.(object, writeContext(core, options))
  cleanMetadata(object)
  if (kind.kind === 'Service' && kind.group === '') {
    const errors = kind.strategy.validate?.(object, undefined) ?? []
    if (errors.length === 0) errors.push(...core.allocator.assign(object, undefined))
    if (errors.length > 0) throw invalidObject(kind, nameOf(object), errors)
  }
  const errors = [
    ...checkMetadata(kind, object),
    ...(kind.custom?.validate(object, undefined) ?? []),
    ...(kind.strategy.validate?.(object, undefined) ?? []),
  ]
  if (errors.length > 0) throw invalidObject(kind, nameOf(object), errors)
  if (!apply) {
    delete metadata(object)['managedFields']
    recordUpdate(kind.schema, undefined, object, managerOf(kind, options, ''))
  }
  const request = admissionRequest(kind, 'CREATE', '', object, undefined, options)
  if (core.admission.concerns(request, false)) await core.admission.validate(request)
  const stored = storedAs(kind, object)
  const collection = collectionOf(core, kind)
  const key = storeKey(kind.namespaced ? namespace : '', nameOf(object))
  if (collection.get(key)) {
    if (generated) return createObject(core, kind, namespace, body, options, apply)
    throw alreadyExists(kind, nameOf(object))
  }
  checkNamespace(core, kind, namespace, nameOf(object))
  checkSize(stored)
  if (options.dryRun) return { object: stored, created: true }
  const record = core.store.write(collection, stored, 0)
  if (kind.collection === '/services') core.allocator.adopt(record.object)
  return { object: record.object, created: true }
}

function placeIn(kind: Kind, meta: Obj, namespace: string): void {
  if (!kind.namespaced) {
    delete meta['namespace']
    return
  }
  const given = str(meta['namespace'])
  if (given !== '' && given !== namespace)
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`)
  meta['namespace'] = namespace
}

function checkSize(object: Obj): void {
  const size = JSON.stringify(object).length
  if (size > MAX_STORED) throw tooLarge(`the object has ${size} bytes; at most ${MAX_STORED} can be stored`)
}

export function managerOf(kind: Kind, options: WriteOptions, subresource: string): Manager {
  return { name: options.fieldManager || 'unknown', operation: 'Update', apiVersion: groupVersion(kind), subresource }
}

/** How the new state follows from the current one, in the version asked for. */
export type Change = (current: Obj) => Obj | Promise<Obj>

export interface UpdateRequest {
  readonly namespace: string
  readonly name: string
  readonly subresource: string
  /** Retried on the newest state when somebody else was faster; an update with its own resourceVersion is not. */
  readonly retry: boolean
  readonly change: Change
  readonly apply?: Manager
}

/** Changes an object that exists. @throws StatusError */
export async function updateObject(core: Core, kind: Kind, request: UpdateRequest, options: WriteOptions): Promise<Written> {
  for (let attempt = 0; ; attempt++) {
    const record = recordOf(core, kind, request.namespace, request.name)
    if (!record) throw notFound(kind, request.name)
    const next = await request.change(copy(shownAs(kind, record.object)))
    try {
      return await storeUpdate(core, kind, record, next, request, options)
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error
      if (!request.retry || attempt >= RETRIES) throw conflict(kind, request.name)
    }
  }
}

async function storeUpdate(
  core: Core,
  kind: Kind,
  record: StoredRecord,
  next: Obj,
  request: UpdateRequest,
  options: WriteOptions,
): Promise<Written> {
  const { subresource, name } = request
  const current = shownAs(kind, record.object)
  let object = decodeObject(kind, next, options)
  checkIdentity(kind, current, object, request)
  const wanted = str(metadata(object)['resourceVersion'])
  if (wanted !== '' && wanted !== '0' && wanted !== String(record.revision)) throw conflict(kind, name)
  if (kind.custom && wanted === '' && !request.retry)
    throw invalidObject(kind, name, [invalid('metadata.resourceVersion', 0, 'must be specified for an update')])
  applyDefaults(kind, object)
  object = restrict(kind, current, object, subresource)
  object = await mutate(core, admissionRequest(kind, 'UPDATE', subresource, object, current, options), options)
  object = restrict(kind, current, object, subresource)
  const context = writeContext(core, options)
  if (subresource === '') kind.strategy.prepareUpdate?.(object, current, context)
  carryMetadata(kind, current, object)
  cleanMetadata(object)
  countGeneration(kind, current, object)
  if (kind.collection === '/services' && subresource === '') {
    const errors = kind.strategy.validate?.(object, current) ?? []
    if (errors.length === 0) errors.push(...core.allocator.assign(object, current))
    if (errors.length > 0) throw invalidObject(kind, name, errors)
  }
  const errors = checkMetadata(kind, object)
  if (subresource === '' || kind.custom) errors.push(...(kind.custom?.validate(object, current) ?? []))
  if (subresource === '') errors.push(...(kind.strategy.validate?.(object, current) ?? []))
  else if (subresource === 'status') errors.push(...(kind.strategy.validateStatus?.(object, current) ?? []))
  if (errors.length > 0) throw invalidObject(kind, name, errors)
  if (!request.apply) recordUpdate(kind.schema, current, object, managerOf(kind, options, subresource))
  const admission = admissionRequest(kind, 'UPDATE', subresource, object, current, options)
  if (core.admission.concerns(admission, false)) await core.admission.validate(admission)
  const stored = storedAs(kind, object)
  const collection = collectionOf(core, kind)
  if (isReleased(stored)) {
    if (options.dryRun) return { object: stored, created: false }
    const last = core.store.remove(collection, record.object === stored ? record : { ...record, object: stored })
    if (kind.collection === '/services') core.allocator.release(last.object)
    return { object: last.object, created: false }
  }
  metadata(stored)['resourceVersion'] = String(record.revision)
  if (equal(stored, record.object)) {
    if (collection.get(record.key)?.revision !== record.revision) throw new RevisionConflict(record.key)
    return { object: record.object, created: false }
  }
  checkSize(stored)
  if (options.dryRun) return { object: stored, created: false }
  const written = core.store.write(collection, stored, record.revision)
  if (kind.collection === '/services') {
    core.allocator.release(record.object, written.object)
    core.allocator.adopt(written.object)
  }
  return { object: written.object, created: false }
}

/** Nothing holds the object any more: its deletion was asked for, and the last finalizer is gone. */
function isReleased(object: Obj): boolean {
  const meta = obj(object['metadata'])
  if (meta['deletionTimestamp'] === undefined || list(meta['finalizers']).length > 0) return false
  if (object['kind'] === 'Namespace' && object['apiVersion'] === 'v1') return list(at(object, 'spec', 'finalizers')).length === 0
  return num(meta['deletionGracePeriodSeconds']) === 0
}

function checkIdentity(kind: Kind, current: Obj, object: Obj, request: UpdateRequest): void {
  const meta = metadata(object)
  if (str(meta['name']) === '') meta['name'] = request.name
  if (meta['name'] !== request.name)
    throw badRequest(`the name of the object (${str(meta['name'])}) does not match the name on the URL (${request.name})`)
  placeIn(kind, meta, request.namespace)
  const uid = str(meta['uid'])
  const actual = str(at(current, 'metadata', 'uid'))
  if (uid !== '' && uid !== actual)
    throw conflict(kind, request.name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${actual}`)
}

/** Keeps a write to its part: the status subresource to the status, all others away from it. */
function restrict(kind: Kind, current: Obj, object: Obj, subresource: string): Obj {
  if (subresource === 'status') {
    const meta = metadata(object)
    const result: Obj = {
      ...copy(current),
      metadata: kind.custom
        ? { ...copy(obj(current['metadata'])), managedFields: meta['managedFields'], resourceVersion: meta['resourceVersion'] }
        : { ...meta, ownerReferences: obj(current['metadata'])['ownerReferences'] },
    }
    if (object['status'] === undefined) delete result['status']
    else result['status'] = object['status']
    return result
  }
  if (subresource === 'approval' || subresource === 'finalize' || subresource === '') {
    if (subresource === 'finalize') return { ...copy(current), metadata: object['metadata'], spec: object['spec'] }
    if (kind.hasStatus && subresource === '') {
      if (current['status'] === undefined) delete object['status']
      else object['status'] = copy(current['status'])
    }
  }
  return object
}

const SERVER_FIELDS = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'generateName']

function carryMetadata(kind: Kind, current: Obj, object: Obj): void {
  const meta = metadata(object)
  const before = obj(current['metadata'])
  for (const field of SERVER_FIELDS) {
    if (before[field] === undefined) delete meta[field]
    else meta[field] = before[field]
  }
  if (kind.namespaced) meta['namespace'] = before['namespace']
  if (before['deletionTimestamp'] !== undefined) {
    const known = list(before['finalizers'])
    const added = list(meta['finalizers']).filter((f) => !known.includes(f))
    if (added.length > 0) {
      throw invalidObject(kind, str(meta['name']), [
        {
          field: 'metadata.finalizers',
          reason: 'FieldValueForbidden',
          message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
        },
      ])
    }
  }
}

function countGeneration(kind: Kind, current: Obj, object: Obj): void {
  if (!kind.countsGeneration) return
  const part = (o: Obj) => {
    const { metadata: _m, status, ...rest } = o
    return kind.custom && !kind.hasStatus ? { ...rest, status } : rest
  }
  if (!equal(part(current), part(object))) metadata(object)['generation'] = num(obj(current['metadata'])['generation']) + 1
}

/** Server-side apply: creates the object or lays the configuration over it. */
export async function applyObject(
  core: Core,
  kind: Kind,
  namespace: string,
  name: string,
  body: unknown,
  force: boolean,
  subresource: string,
  options: WriteOptions,
): Promise<Written> {
  if (options.fieldManager === '') {
    throw invalidObject({ group: 'meta.k8s.io', plural: 'patchoptions', kind: 'PatchOptions' }, '', [
      required('fieldManager', 'is required for apply patch'),
    ])
  }
  const manager: Manager = { name: options.fieldManager, operation: 'Apply', apiVersion: groupVersion(kind), subresource }
  const config = decodeApplied(kind, body, options)
  const meta = metadata(config)
  if (str(meta['name']) === '') meta['name'] = name
  if (meta['name'] !== name) throw badRequest(`the name of the object (${str(meta['name'])}) does not match the name on the URL (${name})`)
  placeIn(kind, meta, namespace)
  for (let attempt = 0; ; attempt++) {
    if (!recordOf(core, kind, namespace, name)) {
      if (subresource !== '') throw notFound(kind, name)
      if (str(meta['uid']) !== '')
        throw conflict(kind, name, `uid mismatch: the provided object specified uid ${str(meta['uid'])}, and no existing object was found`)
      try {
        return await createObject(
          core,
          kind,
          namespace,
          applyConfig(kind.schema, undefined, copy(config), manager, force),
          { ...options, fieldValidation: 'Ignore' },
          manager,
        )
      } catch (error) {
        if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists' || attempt >= RETRIES) throw error
        continue
      }
    }
    return updateObject(
      core,
      kind,
      {
        namespace,
        name,
        subresource,
        retry: true,
        apply: manager,
        change: (current) => applyConfig(kind.schema, current, copy(config), manager, force),
      },
      { ...options, fieldValidation: 'Ignore' },
    )
  }
}

function decodeApplied(kind: Kind, body: unknown, options: WriteOptions): Obj {
  if (isObj(body) && (str(body['apiVersion']) === '' || str(body['kind']) === ''))
    throw badRequest('an applied configuration must have apiVersion and kind')
  const config = decodeObject(kind, body, {
    ...options,
    fieldValidation: options.fieldValidation === 'Ignore' ? 'Ignore' : options.fieldValidation,
  })
  if (kind.kind === 'Secret' && kind.group === '' && isObj(config['stringData'])) kind.strategy.defaults?.(config)
  return config
}
