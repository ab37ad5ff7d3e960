/** What a check finds out, and how findings are put into words alike. */
import type { Cluster } from '../../cluster/connect.ts'

export type State = 'ok' | 'warning' | 'error'

export interface CheckResult {
  /** What was checked, as a sentence that is true when it is well: `the CA bundle of the webhooks is that of the mesh`. */
  readonly check: string
  readonly state: State
  /** What was found; empty when the sentence says it all. */
  readonly detail: string
  /** What to do. */
  readonly hint?: string
  readonly link?: string
}

export interface CheckGroup {
  readonly name: string
  readonly results: readonly CheckResult[]
}

/** What is asked once and used by several groups. */
export interface CheckContext {
  readonly cluster: Cluster
  readonly now: Date
}

export interface Advice {
  readonly hint: string
  readonly link: string
}

export const ok = (check: string, detail = ''): CheckResult => ({ check, state: 'ok', detail })
export const warning = (check: string, detail: string, advice: Advice): CheckResult => ({ check, state: 'warning', detail, ...advice })
export const error = (check: string, detail: string, advice: Advice): CheckResult => ({ check, state: 'error', detail, ...advice })

const MOST_NAMED = 5

/** `a, b and 3 more`. */
export function named(names: readonly string[]): string {
  const more = names.length - MOST_NAMED
  return `${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

const DOCS = 'https://istio.io/latest/docs'

/** Where each topic is explained. */
export const LINKS = {
  installation: `${DOCS}/setup/additional-setup/getting-started/`,
  requirements: `${DOCS}/ops/deployment/application-requirements/`,
  injection: `${DOCS}/ops/common-problems/injection/`,
  webhooks: `${DOCS}/ops/configuration/mesh/webhook/`,
  proxies: `${DOCS}/ops/diagnostic-tools/proxy-cmd/`,
  certificates: `${DOCS}/tasks/security/cert-management/plugin-ca-cert/`,
  upgrade: `${DOCS}/setup/upgrade/`,
  network: `${DOCS}/ops/common-problems/network-issues/`,
  analysis: `${DOCS}/reference/config/analysis/`,
  access: 'https://kubernetes.io/docs/reference/access-authn-authz/rbac/',
} as const
