/**
 * What AuthorizationPolicies mean, read off their fields alone: the yardstick for the rules that are made of them. Written to be
 * plain, not fast, and without a look at how Envoy is told.
 */
import type { AuthorizationPolicySpec, AuthorizationRule, Operation, Source } from '@lateen/api'

/** A connection to a workload, with the request on it where it carries one. */
export interface Approach {
  readonly caller: { readonly domain: string; readonly namespace: string; readonly account: string } | undefined
  /** Of the connection, and of the client that stands behind it. */
  readonly address: string
  readonly clientAddress: string
  readonly destination: { readonly address: string; readonly port: number }
  readonly serverName: string
  /** Undefined for connections of other bytes. */
  readonly request: Request | undefined
}

export interface Request {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly team: string | undefined
  readonly token: { readonly issuer: string; readonly subject: string; readonly audience: string; readonly groups: Groups } | undefined
}

type Groups = string | readonly string[] | undefined

/** The names of the mesh, all of which mean the same identities. */
export const MESH_DOMAINS = ['td1', 'td2'] as const

/** Whether somebody gets in: no DENY matches, and, where anything is allowed by name, an ALLOW does. */
export function letsIn(policies: readonly (AuthorizationPolicySpec & { readonly namespace: string })[], approach: Approach): boolean {
  const hit = (action: string) =>
    policies
      .filter((policy) => (policy.action ?? 'ALLOW') === action)
      .map(({ rules = [], namespace }) => rules.some((rule) => matches(rule, { approach, namespace, allows: action === 'ALLOW' })))
  const allowed = hit('ALLOW')
  return !hit('DENY').includes(true) && (allowed.length === 0 || allowed.includes(true))
}

interface Reading {
  readonly approach: Approach
  readonly namespace: string
  readonly allows: boolean
}

/** Of one value: whether it holds; undefined for what cannot be asked of a connection. */
type Test = (value: string, reading: Reading) => boolean | undefined

interface Condition {
  readonly test: Test
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

function matches(rule: AuthorizationRule, reading: Reading): boolean {
  const sources = (rule.from ?? []).map(({ source = {} }) => conditionsOf(SOURCE, source))
  const operations = (rule.to ?? []).map(({ operation = {} }) => conditionsOf(OPERATION, operation))
  const when = (rule.when ?? []).map(({ key = '', values = [], notValues = [] }) => ({ test: ATTRIBUTE[key] ?? never, values, notValues }))
  const lists = [...sources, ...operations, when]
  const asked = lists.flat().flatMap(({ test, values, notValues }) => [...values, ...notValues].map((value) => test(value, reading)))
  // What cannot be asked never allows, and never keeps from denying.
  if (reading.allows && asked.includes(undefined)) return false
  const all = (conditions: readonly Condition[]) => conditions.every((condition) => holds(condition, reading))
  const one = (alternatives: readonly (readonly Condition[])[]) => alternatives.length === 0 || alternatives.some(all)
  return one(sources) && one(operations) && all(when)
}

function holds({ test, values, notValues }: Condition, reading: Reading): boolean {
  const of = (list: readonly string[]) => list.map((value) => test(value, reading)).filter((truth) => truth !== undefined)
  const [wanted, unwanted] = [of(values), of(notValues)]
  return (wanted.length === 0 || wanted.includes(true)) && !unwanted.includes(true)
}

const never: Test = () => false

function conditionsOf(tests: Readonly<Record<string, Test>>, fields: Source | Operation): Condition[] {
  const list = (name: string): readonly string[] => {
    const value: unknown = Reflect.get(fields, name)
    return Array.isArray(value) ? value.map(String) : []
  }
  return Object.entries(tests).map(([name, test]) => ({
    test,
    values: list(name),
    notValues: list(`not${name.charAt(0).toUpperCase()}${name.slice(1)}`),
  }))
}

/** A star at one end stands for anything there; alone it asks for something to be there. */
function fits(pattern: string, text: string | undefined): boolean {
  if (text === undefined) return false
  if (pattern === '*') return text !== ''
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern
}

const ofRequest =
  (test: (value: string, request: Request) => boolean): Test =>
  (value, { approach }) =>
    approach.request && test(value, approach.request)

const identityOf = ({ caller }: Approach) => caller && `${caller.domain}/ns/${caller.namespace}/sa/${caller.account}`

const principal: Test = (value, { approach }) => {
  const identity = identityOf(approach)
  const [domain = '', ...rest] = value.split('/')
  const ours = [...MESH_DOMAINS, 'cluster.local'].includes(domain)
  const meant = rest.length === 4 && ours ? MESH_DOMAINS.map((own) => [own, ...rest].join('/')) : [value]
  return meant.some((pattern) => fits(pattern, identity))
}

const trustDomain: Test = (value, { approach: { caller } }) => {
  const meant = MESH_DOMAINS.some((own) => own === value) ? MESH_DOMAINS : [value]
  return meant.some((pattern) => fits(pattern, caller?.domain))
}

const serviceAccount: Test = (value, { approach: { caller }, namespace }) =>
  caller !== undefined && (value.includes('/') ? value : `${namespace}/${value}`) === `${caller.namespace}/${caller.account}`

const namespaceOf: Test = (value, { approach: { caller } }) => fits(value, caller?.namespace)

/** Ranges end at a dot here: `10.0.0.0/8` or one address. */
const within = (range: string, address: string): boolean =>
  range.endsWith('.0.0.0/8') ? address.split('.')[0] === range.split('.')[0] : range === address

const requestPrincipal = ofRequest((value, { token }) => {
  if (!token) return false
  const slash = value.lastIndexOf('/')
  if (value === '*') return true
  return fits(value.slice(0, slash), token.issuer) && fits(value.slice(slash + 1), token.subject)
})

const path = ofRequest((value, request) => {
  if (!value.includes('{')) return fits(value, request.path)
  const [wanted, given] = [value.split('/'), request.path.split('/')]
  return (
    wanted.every((part, i) => part === '{**}' || part === given[i] || (part === '{*}' && given[i])) &&
    (value.endsWith('{**}') || wanted.length === given.length)
  )
})

const SOURCE: Readonly<Record<string, Test>> = {
  principals: principal,
  requestPrincipals: requestPrincipal,
  namespaces: namespaceOf,
  serviceAccounts: serviceAccount,
  trustDomains: trustDomain,
  ipBlocks: (value, { approach }) => within(value, approach.address),
  remoteIpBlocks: (value, { approach }) => within(value, approach.clientAddress),
}

const port: Test = (value, { approach }) => Number(value) === approach.destination.port

const OPERATION: Readonly<Record<string, Test>> = {
  hosts: ofRequest((value, { host }) => fits(value.toLowerCase(), host.toLowerCase())),
  methods: ofRequest((value, { method }) => fits(value, method)),
  paths: path,
  ports: port,
}

const ATTRIBUTE: Readonly<Record<string, Test>> = {
  'source.ip': (value, { approach }) => within(value, approach.address),
  'remote.ip': (value, { approach }) => within(value, approach.clientAddress),
  'source.namespace': namespaceOf,
  'source.principal': principal,
  'source.serviceAccount': serviceAccount,
  'request.headers[x-team]': ofRequest((value, { team }) => fits(value, team)),
  'request.auth.principal': requestPrincipal,
  'request.auth.audiences': ofRequest((value, { token }) => fits(value, token?.audience)),
  'request.auth.claims[groups]': ofRequest((value, { token }) => [token?.groups ?? []].flat().some((group) => fits(value, group))),
  'destination.ip': (value, { approach }) => within(value, approach.destination.address),
  'destination.port': port,
  'connection.sni': (value, { approach }) => fits(value, approach.serverName),
}
