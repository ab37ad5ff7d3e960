/** Who makes a request. */
export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }
export const ADMIN: User = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }

export const serviceAccountName = (namespace: string, name: string) => `system:serviceaccount:${namespace}:${name}`

/** The form of a user in reviews and admission requests. */
export function userInfo(user: User): { [field: string]: unknown } {
  return {
    username: user.name,
    ...(user.uid ? { uid: user.uid } : {}),
    groups: [...user.groups],
    ...(user.extra ? { extra: user.extra } : {}),
  }
}
