/** `kubectl --as`: acting as somebody else, for those who are allowed to. */
import { forbidden } from '../errors.ts'
import type { ApiRequest } from '../http/request.ts'
import type { Authorizer } from './rbac.ts'
import type { User } from './user.ts'

/** The request as the user that it is to be carried out as. @throws StatusError 403 */
export function actingAs(request: ApiRequest, authorizer: Authorizer): ApiRequest {
  const user = impersonated(request.user, request.header, authorizer)
  return user === request.user ? request : { ...request, user, impersonator: request.user }
}

function impersonated(user: User, header: (name: string) => string | undefined, authorizer: Authorizer): User {
  const name = header('impersonate-user')
  if (name === undefined || name === '') return user
  const groups = (header('impersonate-group') ?? '')
    .split(',')
    .map((g) => g.trim())
    .filter((g) => g !== '')
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  const check = (resource: string, namespace: string, what: string) => {
    const verdict = authorizer.authorize(user, {
      verb: 'impersonate',
      group: '',
      version: 'v1',
      resource,
      subresource: '',
      namespace,
      name: what,
      path: undefined,
    })
    if (!verdict.allowed) {
      throw forbidden(
        { group: '', plural: resource, kind: '' },
        what,
        `User "${user.name}" cannot impersonate resource "${resource}" in API group ""${namespace ? ` in the namespace "${namespace}"` : ' at the cluster scope'}`,
      )
    }
  }
  if (account) check('serviceaccounts', account[1] ?? '', account[2] ?? '')
  else check('users', '', name)
  for (const group of groups) check('groups', '', group)
  const own = account && groups.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`] : []
  return {
    name,
    groups: [...new Set([...groups, ...own, ...(name === 'system:anonymous' ? ['system:unauthenticated'] : ['system:authenticated'])])],
  }
}
