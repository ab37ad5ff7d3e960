/** Requests that store nothing: token and access reviews, token requests, evictions, and the streams of pods. */
import type { Attributes, Authorizer } from '../auth/rbac.ts'
import type { Binding, Tokens } from '../auth/tokens.ts'
import { type User, userInfo } from '../auth/user.ts'
import { badRequest, conflict, invalid, invalidObject, methodNotAllowed, notFound, notServed, StatusError } from '../errors.ts'
import { parseBody } from '../http/body.ts'
import type { ApiAnswer, ApiRequest, ResourcePath } from '../http/request.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import { logAnswer } from '../streaming/logs.ts'
import { at, isObj, list, now, num, type Obj, obj, str } from '../values.ts'
import type { WriteOptions } from './core.ts'
import { deleteObject, deleteOptions } from './delete.ts'
import type { ReviewServices } from './review-services.ts'
import { updateObject } from './write.ts'

/** The answer to a created review. @throws StatusError */
export function virtualCreate(services: ReviewServices, kind: Kind, request: ApiRequest, namespace: string, body: unknown): Obj {
  if (!isObj(body)) throw badRequest(`the body must be one ${kind.kind} object`)
  const spec = obj(body['spec'])
  const base = { ...body, apiVersion: groupVersion(kind), kind: kind.kind, metadata: { creationTimestamp: null, ...obj(body['metadata']) } }
  switch (kind.kind) {
    case 'TokenReview':
      return { ...base, status: reviewToken(services.tokens, spec) }
    case 'SelfSubjectReview':
      return { ...base, metadata: { creationTimestamp: now() }, status: { userInfo: userInfo(request.user) } }
    case 'SelfSubjectAccessReview':
      return { ...base, status: reviewAccess(services.authorizer, request.user, spec) }
    case 'LocalSubjectAccessReview': {
      const asked = str(at(spec, 'resourceAttributes', 'namespace'))
      if (asked !== namespace) throw badRequest('spec.resourceAttributes.namespace must match metadata.namespace')
      return { ...base, status: reviewAccess(services.authorizer, subjectOf(spec), spec) }
    }
    case 'SubjectAccessReview':
      if (str(spec['user']) === '' && list(spec['groups']).length === 0)
        throw invalidObject(kind, '', [invalid('spec.user', '', 'at least one of user or group must be specified')])
      return { ...base, status: reviewAccess(services.authorizer, subjectOf(spec), spec) }
    case 'SelfSubjectRulesReview': {
      const found = [...services.authorizer.rulesFor(request.user, str(spec['namespace']) || 'default')].flatMap((r) => r.rules)
      const all: Obj[] = request.user.groups.includes('system:masters')
        ? [
            { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
            { verbs: ['*'], nonResourceURLs: ['*'] },
          ]
        : []
      const rules = [...all, ...found]
      return {
        ...base,
        status: {
          resourceRules: rules.filter((r) => list(r['resources']).length > 0),
          nonResourceRules: rules.filter((r) => list(r['nonResourceURLs']).length > 0),
          incomplete: false,
        },
      }
    }
    default:
      throw notServed()
  }
}

function reviewToken(tokens: Tokens, spec: Obj): Obj {
  const token = str(spec['token'])
  if (token === '') throw badRequest('spec.token is required for TokenReview in authentication')
  const audiences = list(spec['audiences']).map(str)
  const result = tokens.authenticate(token, audiences.length > 0 ? audiences : undefined)
  if ('error' in result) return { authenticated: false, user: {}, error: `[invalid bearer token, ${result.error}]` }
  return { authenticated: true, user: userInfo(result.user), audiences: [...result.audiences] }
}

function subjectOf(spec: Obj): User {
  return { name: str(spec['user']), uid: str(spec['uid']), groups: list(spec['groups']).map(str) }
}

function reviewAccess(authorizer: Authorizer, user: User, spec: Obj): Obj {
  const resource = spec['resourceAttributes']
  const path = spec['nonResourceAttributes']
  if (isObj(resource) === isObj(path))
    throw badRequest('exactly one of spec.resourceAttributes and spec.nonResourceAttributes must be given')
  const a = obj(resource)
  const attributes: Attributes = isObj(path)
    ? { verb: str(path['verb']), group: '', version: '', resource: '', subresource: '', namespace: '', name: '', path: str(path['path']) }
    : {
        verb: str(a['verb']),
        group: str(a['group']),
        version: str(a['version']),
        resource: str(a['resource']),
        subresource: str(a['subresource']),
        namespace: str(a['namespace']),
        name: str(a['name']),
        path: undefined,
      }
  const verdict = authorizer.authorize(user, attributes)
  return { allowed: verdict.allowed, ...(verdict.reason ? { reason: verdict.reason } : {}) }
}

const MIN_LIFETIME = 600
const MAX_LIFETIME = 2 ** 32
const DAY = 24 * 3600

/** Subresources that are actions. @throws StatusError */
export async function podSubresource(
  services: ReviewServices,
  kind: Kind,
  request: ApiRequest,
  path: ResourcePath,
  options: WriteOptions,
): Promise<ApiAnswer> {
  const namespace = path.namespace ?? ''
  const { core } = services
  switch (path.subresource) {
    case 'token':
      if (request.method !== 'POST') throw methodNotAllowed()
      return { status: 201, object: requestToken(services, namespace, path.name, await parseBody(request)) }
    case 'log':
      if (request.method !== 'GET') throw methodNotAllowed()
      return logAnswer(services, kind, namespace, path.name, request)
    case 'eviction': {
      if (request.method !== 'POST') throw methodNotAllowed()
      const body = await parseBody(request)
      await deleteObject(core, kind, namespace, path.name, deleteOptions(at(body, 'deleteOptions'), request.query), options)
      return { status: 201, object: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } }
    }
    case 'binding': {
      if (request.method !== 'POST') throw methodNotAllowed()
      const node = str(at(await parseBody(request), 'target', 'name'))
      await updateObject(
        core,
        kind,
        {
          namespace,
          name: path.name,
          subresource: '',
          retry: true,
          change: (pod) => {
            const bound = str(at(pod, 'spec', 'nodeName'))
            if (bound !== '') throw conflict(kind, path.name, `pod ${path.name} is already assigned to node "${bound}"`)
            return { ...pod, spec: { ...obj(pod['spec']), nodeName: node } }
          },
        },
        options,
      )
      return { status: 201, object: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } }
    }
    default:
      throw new StatusError(400, 'BadRequest', `${path.subresource} needs a connection upgrade (SPDY or WebSocket)`)
  }
}

function requestToken(services: ReviewServices, namespace: string, name: string, body: unknown): Obj {
  const { core, tokens } = services
  const accountKind = { group: '', plural: 'serviceaccounts', kind: 'ServiceAccount' }
  const account = core.store.collection('/serviceaccounts').get(`${namespace}/${name}`)
  if (!account) throw notFound(accountKind, name)
  const spec = obj(obj(body)['spec'])
  const audiences = list(spec['audiences'])
    .map(str)
    .filter((a) => a !== '')
  const asked = spec['expirationSeconds'] === undefined || spec['expirationSeconds'] === null ? 3600 : num(spec['expirationSeconds'], -1)
  const tokenKind = { group: 'authentication.k8s.io', plural: 'tokenrequests', kind: 'TokenRequest' }
  if (asked < MIN_LIFETIME)
    throw invalidObject(tokenKind, '', [invalid('spec.expirationSeconds', asked, 'may not specify a duration less than 10 minutes')])
  if (asked > MAX_LIFETIME)
    throw invalidObject(tokenKind, '', [invalid('spec.expirationSeconds', asked, 'may not specify a duration larger than 2^32 seconds')])
  const lifetime = Math.min(asked, 365 * DAY)
  let bound: Binding | undefined
  let node: Binding | undefined
  const ref = spec['boundObjectRef']
  if (isObj(ref)) {
    const kind = str(ref['kind'])
    const refName = str(ref['name'])
    if (kind !== 'Pod' && kind !== 'Secret' && kind !== 'Node')
      throw badRequest(`cannot bind token to object of type ${str(ref['apiVersion'])}, Kind=${kind}`)
    const plural = `${kind.toLowerCase()}s`
    const found = core.store.collection(`/${plural}`).get(kind === 'Node' ? refName : `${namespace}/${refName}`)
    if (!found) throw notFound({ group: '', plural, kind }, refName)
    const uid = str(at(found.object, 'metadata', 'uid'))
    if (str(ref['uid']) !== '' && ref['uid'] !== uid)
      throw conflict(
        { group: '', plural, kind },
        refName,
        `the UID in the bound object reference (${str(ref['uid'])}) does not match the UID in record. The object might have been deleted and then recreated`,
      )
    if (kind === 'Pod' && str(at(found.object, 'spec', 'serviceAccountName')) !== name)
      throw badRequest(`cannot bind token for serviceaccount "${name}" to pod running with different serviceaccount name.`)
    bound = { kind, name: refName, uid }
    const nodeName = str(at(found.object, 'spec', 'nodeName'))
    if (kind === 'Pod' && nodeName !== '') {
      const nodeRecord = core.store.collection('/nodes').get(nodeName)
      if (nodeRecord) node = { kind: 'Node', name: nodeName, uid: str(at(nodeRecord.object, 'metadata', 'uid')) }
    }
  }
  const { token, expires } = tokens.issue(
    { namespace, name, uid: str(at(account.object, 'metadata', 'uid')) },
    audiences.length > 0 ? audiences : tokens.audiences,
    lifetime,
    bound,
    node,
  )
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: now() },
    spec: {
      audiences: audiences.length > 0 ? audiences : [...tokens.audiences],
      expirationSeconds: lifetime,
      boundObjectRef: isObj(ref) ? ref : null,
    },
    status: { token, expirationTimestamp: now(expires * 1000) },
  }
}
