/**
 * The API itself: from a request to an answer, the same for HTTP and for calls from inside the process.
 *
 * Enters: {@link ApiRequest} of an authenticated user. Leaves: {@link ApiAnswer}, or a StatusError.
 */
import { type Attributes, type Authorizer, refusal } from '../auth/rbac.ts'
import { aggregated, apiGroup, apiGroupList, apiResourceList, apiVersions } from '../discovery/discovery.ts'
import { badRequest, forbidden, methodNotAllowed, notServed, StatusError, unsupportedMediaType } from '../errors.ts'
import { type Core, shownAs, type WriteOptions } from '../handlers/core.ts'
import { checkDeleteBody, deletedStatus, deleteObject, deleteOptions } from '../handlers/delete.ts'
import { getObject, listObjects, selectionOf } from '../handlers/read.ts'
import type { ReviewServices } from '../handlers/review-services.ts'
import { podSubresource, virtualCreate } from '../handlers/reviews.ts'
import { readScale, scaleChange, scaleKind } from '../handlers/scale.ts'
import { watchAnswer } from '../handlers/watch-answer.ts'
import { applyObject, createObject, updateObject, type Written } from '../handlers/write.ts'
import { openApiAnswer } from '../openapi/serve.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { applyStrategicPatch } from '../patch/strategic.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import { type IncludeObject, makeTable, partial } from '../table/table.ts'
import { isObj, type Obj, obj, str } from '../values.ts'
import { mediaType, parseBody } from './body.ts'
import { type Representation, represent } from './represent.ts'
import { type ApiAnswer, type ApiRequest, parseResourcePath, type ResourcePath } from './request.ts'

export interface ApiServices extends ReviewServices {
  readonly core: Core
  readonly authorizer: Authorizer
  readonly version: Obj
  readonly address: () => string
  /** Why the server is not ready; `undefined` when it is. */
  readonly notReady: () => string | undefined
}

const OPEN_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/'])

const VERB_OF: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
  GET: 'get',
  HEAD: 'get',
}

/** What the request is for, in RBAC's terms. */
export function attributesOf(request: ApiRequest, path: ResourcePath | undefined): Attributes {
  const verb = VERB_OF[request.method] ?? request.method.toLowerCase()
  if (!path) return { verb, group: '', version: '', resource: '', subresource: '', namespace: '', name: '', path: request.path }
  const collection = path.name === ''
  const fieldName = collection ? /(?:^|,)metadata\.name=([^,]+)/.exec(request.query.get('fieldSelector') ?? '')?.[1] : undefined
  const watching = isTrue(request.query.get('watch')) && verb === 'get'
  return {
    verb: watching ? 'watch' : collection && verb === 'get' ? 'list' : collection && verb === 'delete' ? 'deletecollection' : verb,
    group: path.group,
    version: path.version,
    resource: path.resource,
    subresource: path.subresource,
    namespace: path.resource === 'namespaces' && path.group === '' ? path.name : (path.namespace ?? ''),
    name: path.name || (fieldName ?? ''),
    path: undefined,
  }
}

export const isTrue = (text: string | null) =>
  text !== null && (text === 'true' || text === '1' || text === 't' || text === 'T' || text === 'TRUE' || text === 'True')

/** @throws StatusError */
export async function handleApi(services: ApiServices, request: ApiRequest): Promise<ApiAnswer> {
  const path = parseResourcePath(request.path)
  const attributes = attributesOf(request, path)
  if (!(OPEN_PATHS.has(request.path) || /^\/(healthz|livez|readyz)\//.test(request.path)) || request.method !== 'GET') {
    const verdict = services.authorizer.authorize(request.user, attributes)
    if (!verdict.allowed) {
      const why = refusal(request.user, attributes)
      if (!path) throw new StatusError(403, 'Forbidden', `forbidden: ${why}`, {})
      throw forbidden({ group: path.group, plural: path.resource, kind: '' }, path.name, why)
    }
  }
  if (!path) return plainPath(services, request)
  const kind = services.core.registry.find(path.group, path.version, path.resource)
  if (!kind) throw notServed()
  if (kind.namespaced && path.namespace === undefined && (path.name !== '' || request.method !== 'GET')) throw notServed()
  if (!kind.namespaced && path.namespace !== undefined) throw notServed()
  const warnings: string[] = []
  if (kind.custom?.deprecation) warnings.push(kind.custom.deprecation)
  const answer = await resourceRequest(services, request, path, kind, (message) => void (warnings.length < 20 && warnings.push(message)))
  return warnings.length > 0 ? { ...answer, warnings } : answer
}

async function plainPath(services: ApiServices, request: ApiRequest): Promise<ApiAnswer> {
  const { registry } = services.core
  const path = request.path.length > 1 ? request.path.replace(/\/+$/, '') : request.path
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed()
  const accept = request.header('accept') ?? ''
  switch (path) {
    case '/version':
      return { status: 200, object: services.version }
    case '/healthz':
    case '/livez':
      return { status: 200, text: 'ok', contentType: 'text/plain; charset=utf-8' }
    case '/readyz': {
      const why = services.notReady()
      return why === undefined
        ? { status: 200, text: 'ok', contentType: 'text/plain; charset=utf-8' }
        : { status: 500, text: `not ready: ${why}`, contentType: 'text/plain; charset=utf-8' }
    }
    case '/api':
    case '/apis': {
      const document = /application\/json;[^,]*g=apidiscovery\.k8s\.io;[^,]*v=(v2beta1|v2);[^,]*as=APIGroupDiscoveryList/.exec(accept)?.[1]
      const version = accept.includes('v=v2;') ? 'v2' : document
      if (version) {
        return {
          status: 200,
          object: aggregated(registry, path === '/api', version),
          contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
        }
      }
      return { status: 200, object: path === '/api' ? apiVersions(services.address()) : apiGroupList(registry) }
    }
    case '/openid/v1/jwks':
      return { status: 200, object: services.tokens.jwks(), contentType: 'application/jwk-set+json' }
    case '/.well-known/openid-configuration':
      return { status: 200, object: services.tokens.discovery() }
    case '/':
      return {
        status: 200,
        object: { paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/openid/v1/jwks', '/readyz', '/version'] },
      }
  }
  if (path.startsWith('/openapi/')) {
    const answer = await openApiAnswer(registry, path, accept)
    if (answer) return answer
  }
  const parts = path.split('/').slice(1)
  if (parts[0] === 'api' && parts.length === 2) {
    const list = apiResourceList(registry, '', parts[1] ?? '')
    if (list) return { status: 200, object: list }
  }
  if (parts[0] === 'apis' && parts.length === 2) {
    const group = apiGroup(registry, parts[1] ?? '')
    if (group) return { status: 200, object: group }
  }
  if (parts[0] === 'apis' && parts.length === 3) {
    const list = apiResourceList(registry, parts[1] ?? '', parts[2] ?? '')
    if (list) return { status: 200, object: list }
  }
  if (/^\/(healthz|livez|readyz)\//.test(path)) return { status: 200, text: 'ok', contentType: 'text/plain; charset=utf-8' }
  throw notServed()
}

function writeOptions(request: ApiRequest, warn: (message: string) => void, defaults: 'Warn' | 'Strict' = 'Warn'): WriteOptions {
  const dryRun = request.query.getAll('dryRun')
  if (dryRun.some((d) => d !== 'All' && d !== '')) throw badRequest(`dryRun: Unsupported value: "${dryRun[0]}": supported values: "All"`)
  const validation = request.query.get('fieldValidation') ?? ''
  if (!['', 'Strict', 'Warn', 'Ignore'].includes(validation))
    throw badRequest(`fieldValidation: Unsupported value: "${validation}": supported values: "Ignore", "Strict", "Warn"`)
  const manager = request.query.get('fieldManager') ?? ''
  if (manager.length > 128) throw badRequest('fieldManager: Too long: may not be more than 128 bytes')
  return {
    user: request.user,
    dryRun: dryRun.includes('All'),
    fieldManager:
      manager ||
      (request.method === 'PATCH' && mediaType(request.header('content-type')).startsWith('application/apply-patch')
        ? ''
        : (request.header('user-agent')?.split('/')[0]?.split(' ')[0]?.slice(0, 128) ?? '')),
    fieldValidation: validation === 'Strict' || validation === 'Ignore' || validation === 'Warn' ? validation : defaults,
    warn,
    signal: request.signal,
  }
}

async function resourceRequest(
  services: ApiServices,
  request: ApiRequest,
  path: ResourcePath,
  kind: Kind,
  warn: (message: string) => void,
): Promise<ApiAnswer> {
  const { core } = services
  const namespace = path.namespace ?? ''
  const { name, subresource } = path
  if (subresource !== '' && !kind.subresources.has(subresource)) throw notServed()
  const representation = represent(request.header('accept') ?? '', request.query)
  if (kind.virtual) {
    if (request.method !== 'POST' || name !== '') throw methodNotAllowed()
    return { status: 201, object: virtualCreate(services, kind, request, namespace, await parseBody(request)) }
  }
  if (subresource === 'scale') return scaleRequest(services, request, kind, namespace, name, warn)
  if (subresource !== '' && !['status', 'approval', 'finalize', 'ephemeralcontainers', 'resize'].includes(subresource)) {
    return podSubresource(services, kind, request, path, writeOptions(request, warn))
  }
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      if (name === '' || isTrue(request.query.get('watch'))) {
        const query = request.query
        if (name !== '') query.set('fieldSelector', `metadata.name=${name}`)
        const selection = selectionOf(kind, path.namespace, query)
        if (isTrue(query.get('watch'))) return watchAnswer(core, kind, selection, query, representation)
        return { status: 200, ...listAnswer(core, kind, selection, query, representation) }
      }
      return objectAnswer(kind, getObject(core, kind, namespace, name).object, 200, representation)
    }
    case 'POST': {
      if (name !== '') throw methodNotAllowed()
      return writtenAnswer(
        kind,
        await createObject(core, kind, namespace, await parseBody(request), writeOptions(request, warn)),
        representation,
      )
    }
    case 'PUT': {
      if (name === '') throw methodNotAllowed()
      const body = await parseBody(request)
      if (!isObj(body)) throw badRequest(`the body must be one ${kind.kind} object`)
      return writtenAnswer(
        kind,
        await updateObject(core, kind, { namespace, name, subresource, retry: false, change: () => body }, writeOptions(request, warn)),
        representation,
      )
    }
    case 'PATCH': {
      if (name === '') throw methodNotAllowed()
      return writtenAnswer(
        kind,
        await patchRequest(services, request, kind, namespace, name, subresource, writeOptions(request, warn)),
        representation,
      )
    }
    case 'DELETE': {
      const body = await parseBody(request)
      checkDeleteBody(body)
      const how = deleteOptions(body, request.query)
      const dryRun = obj(body)['dryRun']
      const options = { ...writeOptions(request, warn), ...(Array.isArray(dryRun) && dryRun.includes('All') ? { dryRun: true } : {}) }
      if (name !== '') {
        const { object, gone } = await deleteObject(core, kind, namespace, name, how, options)
        return gone && representation.as === 'object' && kind.kind !== 'Pod'
          ? { status: 200, object: deletedStatus(kind, object) }
          : objectAnswer(kind, object, 200, representation)
      }
      const selection = selectionOf(kind, path.namespace, request.query)
      const { records } = listObjects(core, kind, selection, { limit: 0, continueToken: '', resourceVersion: '', match: '' })
      const items: Obj[] = []
      for (const record of records) {
        try {
          items.push(shownAs(kind, (await deleteObject(core, kind, record.namespace, record.name, how, options)).object))
        } catch (error) {
          if (!(error instanceof StatusError) || error.code !== 404) throw error
        }
      }
      return {
        status: 200,
        object: { kind: kind.listKind, apiVersion: groupVersion(kind), metadata: { resourceVersion: String(core.store.revision) }, items },
      }
    }
    default:
      throw methodNotAllowed()
  }
}

function writtenAnswer(kind: Kind, written: Written, representation: Representation): ApiAnswer {
  return objectAnswer(kind, written.object, written.created ? 201 : 200, representation)
}

/** One object in the form that is asked for. */
function objectAnswer(kind: Kind, stored: Obj, status: number, representation: Representation): ApiAnswer {
  if (representation.as === 'table') {
    const object = makeTable(kind, [stored], (o) => shownAs(kind, o), representation.include, {
      resourceVersion: str(obj(stored['metadata'])['resourceVersion']),
    })
    return { status, object: { ...object, apiVersion: `meta.k8s.io/${representation.version}` } }
  }
  if (representation.as === 'metadata')
    return { status, object: { ...partial(stored), apiVersion: `meta.k8s.io/${representation.version}` } }
  return { status, object: shownAs(kind, stored) }
}

function listAnswer(
  core: Core,
  kind: Kind,
  selection: ReturnType<typeof selectionOf>,
  query: URLSearchParams,
  representation: Representation,
): { object: Obj } {
  const limit = Number(query.get('limit') ?? 0)
  if (!Number.isInteger(limit) || limit < 0) throw badRequest(`limit: Invalid value: "${query.get('limit')}": must be a whole number`)
  const result = listObjects(core, kind, selection, {
    limit,
    continueToken: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    match: query.get('resourceVersionMatch') ?? '',
  })
  const metadata: Obj = {
    resourceVersion: String(result.revision),
    ...(result.continueToken ? { continue: result.continueToken } : {}),
    ...(result.remaining === undefined ? {} : { remainingItemCount: result.remaining }),
  }
  const objects = result.records.map((r) => r.object)
  if (representation.as === 'table') {
    return {
      object: {
        ...makeTable(kind, objects, (o) => shownAs(kind, o), representation.include, metadata),
        apiVersion: `meta.k8s.io/${representation.version}`,
      },
    }
  }
  if (representation.as === 'metadata') {
    const apiVersion = `meta.k8s.io/${representation.version}`
    return {
      object: { kind: 'PartialObjectMetadataList', apiVersion, metadata, items: objects.map((o) => ({ ...partial(o), apiVersion })) },
    }
  }
  return { object: { kind: kind.listKind, apiVersion: groupVersion(kind), metadata, items: objects.map((o) => shownAs(kind, o)) } }
}

async function patchRequest(
  services: ApiServices,
  request: ApiRequest,
  kind: Kind,
  namespace: string,
  name: string,
  subresource: string,
  options: WriteOptions,
): Promise<Written> {
  const type = mediaType(request.header('content-type'))
  const patch = await parseBody(request)
  if (type === 'application/apply-patch+yaml' || type === 'application/apply-patch+cbor') {
    return applyObject(services.core, kind, namespace, name, patch, isTrue(request.query.get('force')), subresource, options)
  }
  const change = (current: Obj) => {
    const next = applyPatch(kind, type, current, patch)
    if (!isObj(next)) throw badRequest('the patch does not leave an object')
    return next
  }
  return updateObject(services.core, kind, { namespace, name, subresource, retry: true, change }, options)
}

/** @throws StatusError 415 for a patch type that is not known */
export function applyPatch(kind: Kind | undefined, type: string, current: unknown, patch: unknown): unknown {
  switch (type) {
    case 'application/json-patch+json':
      return applyJsonPatch(current, patch)
    case 'application/merge-patch+json':
      return applyMergePatch(current, patch)
    case 'application/strategic-merge-patch+json':
      if (kind?.custom)
        throw unsupportedMediaType(
          'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
        )
      return applyStrategicPatch(kind?.schema, current, patch)
    default:
      throw unsupportedMediaType(
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml',
      )
  }
}

async function scaleRequest(
  services: ApiServices,
  request: ApiRequest,
  kind: Kind,
  namespace: string,
  name: string,
  warn: (message: string) => void,
): Promise<ApiAnswer> {
  const { core } = services
  if (request.method === 'GET')
    return { status: 200, object: readScale(kind, shownAs(kind, getObject(core, kind, namespace, name).object)) }
  if (request.method !== 'PUT' && request.method !== 'PATCH') throw methodNotAllowed()
  const body = await parseBody(request)
  const type = mediaType(request.header('content-type'))
  const options = writeOptions(request, warn)
  const written = await updateObject(
    core,
    kind,
    {
      namespace,
      name,
      subresource: '',
      retry: request.method === 'PATCH' || str(obj(obj(body)['metadata'])['resourceVersion']) === '',
      change: (current) => {
        const scale = readScale(kind, current)
        const next =
          request.method === 'PUT'
            ? body
            : applyPatch(scaleKind, type === 'application/apply-patch+yaml' ? 'application/merge-patch+json' : type, scale, body)
        return scaleChange(kind, current, next)
      },
    },
    options,
  )
  return { status: 200, object: readScale(kind, shownAs(kind, written.object)) }
}

export type { IncludeObject }
