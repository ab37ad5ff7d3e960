/**
 * Mutating and validating webhooks, as the stored configurations say.
 *
 * Enters: a write that was understood. Leaves: the object with the webhooks' patches, or a refusal. Mutating webhooks are called
 * one after the other in the order of their configurations' names, validating ones at the same time.
 */
import { logger } from '@lateen/base'
import { userInfo } from '../auth/user.ts'
import { StatusError } from '../errors.ts'
import type { ApiServerOptions } from '../options.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import { matches, requirementsOf } from '../selectors.ts'
import type { Store } from '../storage/store.ts'
import { at, equal, isObj, list, num, type Obj, obj, objs, str } from '../values.ts'
import type { Admission, AdmissionRequest } from './admission.ts'
import { postReview, WebhookFailure } from './webhook-call.ts'

const log = logger('apiserver')
const GROUP = 'admissionregistration.k8s.io'

interface Hook {
  readonly configuration: string
  readonly hook: Obj
}

/** The expressions of `matchConditions`; loaded when some webhook has them. */
type Conditions = typeof import('./match-conditions.ts')

export class Webhooks implements Admission {
  readonly #store: Store
  readonly #resolve: ApiServerOptions['resolveService']
  #conditions: Conditions | undefined

  constructor(store: Store, resolveService: ApiServerOptions['resolveService']) {
    this.#store = store
    this.#resolve = resolveService
  }

  concerns(request: AdmissionRequest, mutating: boolean): boolean {
    return this.#hooks(request, mutating).length > 0
  }

  #hooks(request: AdmissionRequest, mutating: boolean): Hook[] {
    // Webhook configurations themselves are exempt: a broken one must stay repairable.
    if (request.kind.group === GROUP) return []
    const collection = this.#store.collection(`${GROUP}/${mutating ? 'mutatingwebhookconfigurations' : 'validatingwebhookconfigurations'}`)
    const result: Hook[] = []
    for (const { object, name } of collection.list()) {
      for (const hook of objs(object['webhooks'])) if (this.#concerned(hook, request)) result.push({ configuration: name, hook })
    }
    return result
  }

  #concerned(hook: Obj, request: AdmissionRequest): boolean {
    if (!objs(hook['rules']).some((rule) => ruleMatches(rule, request))) return false
    const namespaceRequirements = requirementsOf(hook['namespaceSelector'])
    if (namespaceRequirements.length > 0) {
      const isNamespace = request.kind.kind === 'Namespace' && request.kind.group === ''
      if (request.namespace !== '') {
        const stored = this.#store.collection('/namespaces').get(request.namespace)?.object
        const namespace = isNamespace ? (request.object ?? request.old) : stored
        if (!matches(namespaceRequirements, at(namespace, 'metadata', 'labels'))) return false
      }
    }
    const objectRequirements = requirementsOf(hook['objectSelector'])
    if (objectRequirements.length === 0) return true
    const labelled = (o: Obj | undefined) => o !== undefined && matches(objectRequirements, at(o, 'metadata', 'labels'))
    return labelled(request.object) || labelled(request.old)
  }

  async mutate(request: AdmissionRequest): Promise<Obj | undefined> {
    let object = request.object
    const rerun: Hook[] = []
    const call = async ({ configuration, hook }: Hook) => {
      const before = object
      object = await this.#callMutating(configuration, hook, { ...request, object })
      return !equal(before, object)
    }
    for (const entry of this.#hooks(request, true)) {
      const changed = await call(entry)
      // An earlier webhook may want to see what later ones changed.
      if (changed) for (const earlier of rerun) if (!('again' in earlier)) Object.assign(earlier, { again: true })
      if (entry.hook['reinvocationPolicy'] === 'IfNeeded') rerun.push({ ...entry })
    }
    for (const entry of rerun) if ('again' in entry && this.#concerned(entry.hook, { ...request, object })) await call(entry)
    return object
  }

  async #callMutating(configuration: string, hook: Obj, request: AdmissionRequest): Promise<Obj | undefined> {
    const response = await this.#call('mutating', configuration, hook, request)
    const patch = str(response?.['patch'])
    if (patch === '' || request.object === undefined) return request.object
    const name = str(hook['name'])
    if (response?.['patchType'] !== 'JSONPatch')
      throw failed(name, `webhook returned patchType ${JSON.stringify(response?.['patchType'])}; only JSONPatch is known`)
    let patched: unknown
    try {
      const operations: unknown = JSON.parse(Buffer.from(patch, 'base64').toString())
      patched = applyJsonPatch(request.object, operations)
    } catch (error) {
      throw failed(name, `its patch cannot be applied: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (!isObj(patched)) throw failed(name, 'its patch does not leave an object')
    return patched
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const results = await Promise.allSettled(
      this.#hooks(request, false).map(({ configuration, hook }) => this.#call('validating', configuration, hook, request)),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** The response; `undefined` when the webhook failed and its policy says to go on. @throws StatusError for a refusal */
  async #call(type: string, configuration: string, hook: Obj, request: AdmissionRequest): Promise<Obj | undefined> {
    const name = str(hook['name'])
    if (list(hook['matchConditions']).length > 0) {
      this.#conditions ??= await import('./match-conditions.ts')
      const verdict = this.#conditions.conditionsHold(objs(hook['matchConditions']), request, userInfo(request.user))
      if (verdict === false) return undefined
      if (verdict instanceof Error) {
        if (hook['failurePolicy'] === 'Ignore') return undefined
        throw failed(name, verdict.message)
      }
    }
    if (request.dryRun && !['None', 'NoneOnDryRun'].includes(str(hook['sideEffects']))) {
      throw new StatusError(
        400,
        'BadRequest',
        `admission webhook ${JSON.stringify(name)} does not support dry run: its sideEffects are not None or NoneOnDryRun`,
      )
    }
    const uid = crypto.randomUUID()
    let response: Obj
    try {
      const timeout = Math.min(Math.max(num(hook['timeoutSeconds'], 10), 1), 30) * 1000
      const answer = await postReview(obj(hook['clientConfig']), this.#resolve, reviewOf(uid, request), timeout)
      response = obj(answer['response'])
      if (!isObj(answer['response'])) throw new WebhookFailure('the webhook response was not a valid AdmissionReview: it has no response')
      if (response['uid'] !== uid)
        throw new WebhookFailure(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'])}`)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (hook['failurePolicy'] === 'Ignore') {
        log.warn(`${type} webhook ${name} of ${configuration} failed and is ignored`, { error: message })
        return undefined
      }
      throw failed(name, message)
    }
    for (const warning of list(response['warnings']).slice(0, 20)) if (typeof warning === 'string') request.warn(warning.slice(0, 256))
    if (response['allowed'] === true) return response
    throw refused(name, obj(response['status']))
  }
}

function failed(name: string, message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: failed calling webhook ${JSON.stringify(name)}: ${message}`, {
    causes: [{ reason: 'InternalError', message: `failed calling webhook ${JSON.stringify(name)}: ${message}` }],
  })
}

function refused(name: string, status: Obj): StatusError {
  const given = num(status['code'])
  const code = given >= 400 && given < 600 ? given : 400
  // Without a reason kubectl says "Error from server: admission webhook …", which is what its users know.
  const reason = str(status['reason'])
  const message = str(status['message'])
  const said =
    message !== ''
      ? `denied the request: ${message}`
      : str(status['reason']) !== ''
        ? `denied the request: ${str(status['reason'])}`
        : 'denied the request without explanation'
  return new StatusError(code, reason, `admission webhook ${JSON.stringify(name)} ${said}`)
}

const includes = (values: unknown, wanted: string) => list(values).some((v) => v === '*' || v === wanted)

function ruleMatches(rule: Obj, { kind, operation, subresource }: AdmissionRequest): boolean {
  if (!includes(rule['operations'], operation) || !includes(rule['apiGroups'], kind.group)) return false
  // Equivalent matching: another version of the same kind is the same kind.
  if (list(rule['apiVersions']).length === 0) return false
  const scope = str(rule['scope']) || '*'
  const namespaced = kind.namespaced
  if ((scope === 'Namespaced' && !namespaced) || (scope === 'Cluster' && namespaced)) return false
  const plural = kind.plural
  return list(rule['resources']).some((resource) => {
    const [name = '', sub] = str(resource).split('/')
    if (resource === '*/*') return true
    if (name !== '*' && name !== plural) return false
    return sub === undefined ? subresource === '' : sub === '*' || sub === subresource
  })
}

const gvk = (kind: Kind) => ({ group: kind.group, version: kind.version, kind: kind.kind })
const gvr = (kind: Kind) => ({ group: kind.group, version: kind.version, resource: kind.plural })

function reviewOf(uid: string, request: AdmissionRequest): Obj {
  const { kind } = request
  const withType = (object: Obj | undefined) =>
    object === undefined ? null : { ...object, kind: kind.kind, apiVersion: groupVersion(kind) }
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid,
      kind: gvk(kind),
      resource: gvr(kind),
      ...(request.subresource ? { subResource: request.subresource, requestSubResource: request.subresource } : {}),
      requestKind: gvk(kind),
      requestResource: gvr(kind),
      ...(request.name ? { name: request.name } : {}),
      ...(request.namespace ? { namespace: request.namespace } : {}),
      operation: request.operation,
      userInfo: userInfo(request.user),
      object: withType(request.object),
      oldObject: withType(request.old),
      dryRun: request.dryRun,
      options: { kind: OPTIONS[request.operation] ?? 'CreateOptions', apiVersion: 'meta.k8s.io/v1', ...request.options },
    },
  }
}

const OPTIONS: Readonly<Record<string, string>> = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' }
