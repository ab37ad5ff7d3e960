/** Kubernetes objects as tests write them. */
import { documents } from './echo.ts'

export interface Named {
  readonly name: string
  readonly namespace: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export function namespaces(names: Readonly<Record<string, 'injected' | 'plain'>>): string {
  const of = ([name, sort]: readonly [string, string]) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'istio-injection': sort === 'injected' ? 'enabled' : 'disabled' } },
  })
  return documents(...Object.entries(names).map(of))
}

/** An object of `networking.istio.io`. */
export function networking(kind: string, metadata: Named, spec: unknown): string {
  return documents({ apiVersion: 'networking.istio.io/v1', kind, metadata, spec })
}

export function secret(name: string, namespace: string, data: Readonly<Record<string, string>>): string {
  return documents({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: data })
}

/** Nothing but mutual TLS gets to the workloads of a namespace. */
export function strictMutualTls(namespace: string): string {
  const metadata = { name: 'default', namespace }
  return documents({ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata, spec: { mtls: { mode: 'STRICT' } } })
}

/** The program of a fixture, where every pod finds the checkout. */
export const fixtureProgram = (fixture: string): string => `/usr/local/lib/lateen/conformance/fixtures/${fixture}/main.ts`

const RBAC = 'rbac.authorization.k8s.io'

/** A proxy gets the Secrets of its namespace that its service account may read: this lets one account read them all. */
export function secretsReadableBy(account: string, namespace: string): string {
  const metadata = { name: `secrets-of-${account}`, namespace }
  return documents(
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }],
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
    },
  )
}
