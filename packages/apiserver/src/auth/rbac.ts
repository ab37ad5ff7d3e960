/** Role-based authorization, evaluated on the stored roles and bindings. */

import { matches, requirementsOf } from '../selectors.ts'
import type { Store } from '../storage/store.ts'
import { at, list, type Obj, objs, str } from '../values.ts'
import type { User } from './user.ts'

/** What is to be done: to a resource, or to a path that is none. */
export interface Attributes {
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** For a request that names no resource. */
  readonly path: string | undefined
}

export interface Verdict {
  readonly allowed: boolean
  readonly reason: string
}

const GROUP = 'rbac.authorization.k8s.io'

export class Authorizer {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Whether the user may do it, and by which binding. */
  authorize(user: User, attributes: Attributes): Verdict {
    if (user.groups.includes('system:masters')) return { allowed: true, reason: '' }
    for (const { rules, reason } of this.rulesFor(user, attributes.namespace)) {
      if (rules.some((rule) => ruleAllows(rule, attributes))) return { allowed: true, reason }
    }
    return { allowed: false, reason: '' }
  }

  /** The rules that hold for a user, cluster-wide and in a namespace, each with the binding that grants them. */
  *rulesFor(user: User, namespace: string): Generator<{ rules: Obj[]; reason: string }> {
    for (const { object } of this.#store.collection(`${GROUP}/clusterrolebindings`).list()) {
      const subject = this.#subject(object, user, '')
      if (subject) {
        const name = str(at(object, 'roleRef', 'name'))
        yield {
          rules: this.#clusterRules(name),
          reason: `RBAC: allowed by ClusterRoleBinding "${str(at(object, 'metadata', 'name'))}" of ClusterRole "${name}" to ${subject}`,
        }
      }
    }
    if (namespace === '') return
    for (const { object } of this.#store.collection(`${GROUP}/rolebindings`).list(namespace)) {
      const subject = this.#subject(object, user, namespace)
      if (subject) {
        const name = str(at(object, 'roleRef', 'name'))
        const kind = str(at(object, 'roleRef', 'kind'))
        const rules =
          kind === 'ClusterRole'
            ? this.#clusterRules(name)
            : objs(this.#store.collection(`${GROUP}/roles`).get(`${namespace}/${name}`)?.object['rules'])
        yield {
          rules,
          reason: `RBAC: allowed by RoleBinding "${str(at(object, 'metadata', 'name'))}/${namespace}" of ${kind} "${name}" to ${subject}`,
        }
      }
    }
  }

  #clusterRules(name: string): Obj[] {
    const roles = this.#store.collection(`${GROUP}/clusterroles`)
    const role = roles.get(name)?.object
    if (!role) return []
    const selectors = objs(at(role, 'aggregationRule', 'clusterRoleSelectors'))
    if (selectors.length === 0) return objs(role['rules'])
    const requirements = selectors.map(requirementsOf)
    const parts = roles
      .list()
      .filter(({ object }) => object !== role && requirements.some((r) => matches(r, at(object, 'metadata', 'labels'))))
    return [...objs(role['rules']), ...parts.flatMap(({ object }) => objs(object['rules']))]
  }

  #subject(binding: Obj, user: User, namespace: string): string | undefined {
    for (const subject of objs(binding['subjects'])) {
      const name = str(subject['name'])
      switch (subject['kind']) {
        case 'User':
          if (name === user.name) return `User "${name}"`
          break
        case 'Group':
          if (user.groups.includes(name)) return `Group "${name}"`
          break
        case 'ServiceAccount': {
          const of = str(subject['namespace']) || namespace
          if (user.name === `system:serviceaccount:${of}:${name}`) return `ServiceAccount "${name}/${of}"`
        }
      }
    }
    return undefined
  }
}

const has = (values: unknown, wanted: string) => list(values).some((v) => v === '*' || v === wanted)

/** Whether one rule of a role covers the request. */
export function ruleAllows(rule: Obj, attributes: Attributes): boolean {
  if (!has(rule['verbs'], attributes.verb)) return false
  if (attributes.path !== undefined) {
    const { path } = attributes
    return list(rule['nonResourceURLs']).some(
      (p) => p === '*' || p === path || (typeof p === 'string' && p.endsWith('*') && path.startsWith(p.slice(0, -1))),
    )
  }
  if (!has(rule['apiGroups'], attributes.group)) return false
  const resource = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource
  const named = list(rule['resources']).some(
    (r) => r === '*' || r === resource || (attributes.subresource !== '' && r === `*/${attributes.subresource}`),
  )
  if (!named) return false
  const names = list(rule['resourceNames'])
  return names.length === 0 || names.includes(attributes.name)
}

/** The words in which a refusal is told. */
export function refusal(user: User, a: Attributes): string {
  if (a.path !== undefined) return `User "${user.name}" cannot ${a.verb} path "${a.path}"`
  const resource = a.subresource ? `${a.resource}/${a.subresource}` : a.resource
  const where = a.namespace !== '' ? `in the namespace "${a.namespace}"` : 'at the cluster scope'
  return `User "${user.name}" cannot ${a.verb} resource "${resource}" in API group "${a.group}" ${where}`
}
