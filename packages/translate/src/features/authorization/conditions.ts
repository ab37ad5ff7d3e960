/**
 * The conditions of authorization rules, each as a test of the request (permission) or of who sends it (principal), which is how
 * Envoy divides them. A test gives undefined for a value that cannot be asked: one of HTTP on a chain of bytes, or one that is not
 * of the right form.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CidrRangeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/address_pb.js'
import type { PermissionSchema, PrincipalSchema } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { canonicalRange } from '@lateen/model'
import type { StringMatcherInit } from '../../builders/string-match.ts'
import {
  anyOf,
  claimMatcher,
  claimsMatcher,
  endingWith,
  exactly,
  filterMatcher,
  type HeaderMatcherInit,
  headerMatcher,
  hostMatcher,
  identityMatcher,
  listedHeaderMatcher,
  type MetadataMatcherInit,
  matching,
  NOT_EMPTY,
  quoted,
  startingWith,
  textMatcher,
} from './matchers.ts'
import { isTemplate, pathTemplate } from './path-template.ts'
import { allNames, withAliases } from './trust-domains.ts'

export type PermissionInit = Exclude<MessageInitShape<typeof PermissionSchema>, { $typeName: string }>
export type PrincipalInit = Exclude<MessageInitShape<typeof PrincipalSchema>, { $typeName: string }>

/** Where a condition is asked. */
export interface ConditionPlace {
  /** False for chains that see only connections. */
  readonly http: boolean
  /** A match makes the policy stricter: it denies, or it takes something out of what is allowed. */
  readonly strict: boolean
  /** The policy's own namespace. */
  readonly namespace: string
  /** The mesh's names, its current one first. */
  readonly trustDomains: readonly string[]
}

/** The tests of which one must hold for a list of values; undefined for those that cannot be asked. */
type Ask<T> = (values: readonly string[], at: ConditionPlace) => readonly (T | undefined)[]

export type Condition =
  | { readonly side: 'permission'; readonly ask: Ask<PermissionInit> }
  | { readonly side: 'principal'; readonly ask: Ask<PrincipalInit> }

const permission = (ask: (value: string, at: ConditionPlace) => PermissionInit | undefined): Condition => ({
  side: 'permission',
  ask: (values, at) => values.map((value) => ask(value, at)),
})
const principal = (ask: (value: string, at: ConditionPlace) => PrincipalInit | undefined): Condition => ({
  side: 'principal',
  ask: (values, at) => values.map((value) => ask(value, at)),
})

/** Headers whose values are lists: several headers of one name arrive as one, with commas. */
const LISTED_HEADERS = 'request.experimental.inline.headers'

/** The attribute that a `when` names; undefined for one that is not known. */
export function conditionOf(key: string): Condition | undefined {
  const named = Object.hasOwn(ATTRIBUTES, key) ? ATTRIBUTES[key] : undefined
  if (named) return named
  if (key.startsWith('request.headers')) return headerCondition(key.slice('request.headers'.length), headerMatcher)
  if (key.startsWith(LISTED_HEADERS)) return headerCondition(key.slice(LISTED_HEADERS.length), listedHeaderMatcher)
  if (key.startsWith('request.auth.claims')) return claimCondition(key.slice('request.auth.claims'.length))
  if (key.startsWith('experimental.envoy.filters.')) return filterCondition(key.slice('experimental.'.length))
  return undefined
}

const header = (matcher: HeaderMatcherInit): PermissionInit => ({ rule: { case: 'header', value: matcher } })
const token = (matcher: MetadataMatcherInit): PrincipalInit => ({
  identifier: { case: 'sourcedMetadata', value: { metadataMatcher: matcher } },
})
const peer = (matcher: StringMatcherInit): PrincipalInit => ({
  identifier: { case: 'authenticated', value: { principalName: matcher } },
})

const host = permission((value, at) => (at.http ? header(hostMatcher(value, at.strict)) : undefined))

const method = permission((value, at) => (at.http ? header(headerMatcher(':method', value)) : undefined))

const path = permission((value, at) => {
  if (!at.http) return undefined
  if (!isTemplate(value)) return { rule: { case: 'urlPath', value: { rule: { case: 'path', value: textMatcher(value) } } } }
  const template = pathTemplate(value)
  return template && { rule: { case: 'uriTemplate', value: template } }
})

const port = permission((value) => {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN
  return number <= 65535 ? { rule: { case: 'destinationPort', value: number } } : undefined
})

const destinationAddress = permission((value) => {
  const range = rangeOf(value)
  return range && { rule: { case: 'destinationIp', value: range } }
})

const serverName = permission((value) => ({ rule: { case: 'requestedServerName', value: textMatcher(value) } }))

const connectionAddress = principal((value) => {
  const range = rangeOf(value)
  return range && { identifier: { case: 'directRemoteIp', value: range } }
})

const clientAddress = principal((value) => {
  const range = rangeOf(value)
  return range && { identifier: { case: 'remoteIp', value: range } }
})

const namespace = principal((value) => peer(matching(`.*/ns/${value.split('*').map(quoted).join('.*')}/.*`)))

/** The account may be followed or preceded by further parts of the identity, but is whole itself. */
const serviceAccount = principal((value, at) => {
  const slash = value.indexOf('/')
  const [ns, account] = slash < 0 ? [at.namespace, value] : [value.slice(0, slash), value.slice(slash + 1)]
  return peer(matching(`spiffe://.+/ns/${quoted(ns)}/(.+/|)sa/${quoted(account)}(/.+)?`))
})

const identity: Condition = {
  side: 'principal',
  ask: (values, at) => withAliases(values, at.trustDomains).map((value) => peer(identityMatcher(value))),
}

const trustDomain: Condition = {
  side: 'principal',
  ask: (values, at) =>
    allNames(values, at.trustDomains).map((value) =>
      peer(
        value.includes('*') ? matching(`spiffe://${value.split('*').map(quoted).join('[^/]*')}/.*`) : startingWith(`spiffe://${value}/`),
      ),
    ),
}

/** `issuer/subject`: the subject is what follows the last slash, since an issuer may be an address. */
const requestIdentity = principal((value, at) => {
  if (!at.http) return undefined
  const [issuer, subject] = tokenNames(value)
  const both = [token(claimMatcher('iss', issuer)), token(claimMatcher('sub', subject))]
  return { identifier: { case: 'andIds', value: { ids: both } } }
})

function tokenNames(value: string): readonly [StringMatcherInit, StringMatcherInit] {
  const slash = value.lastIndexOf('/')
  const issuer = slash < 0 ? value : value.slice(0, slash)
  const subject = slash < 0 ? '' : value.slice(slash + 1)
  if (value === '*') return [NOT_EMPTY, NOT_EMPTY]
  if (value.startsWith('*')) {
    if (slash < 0) return [NOT_EMPTY, endingWith(value.slice(1))]
    return [issuer === '*' ? NOT_EMPTY : endingWith(issuer.slice(1)), subject === '*' ? NOT_EMPTY : exactly(subject)]
  }
  if (value.endsWith('*')) {
    if (slash < 0) return [startingWith(value.slice(0, -1)), NOT_EMPTY]
    return [exactly(issuer), subject === '*' ? NOT_EMPTY : startingWith(subject.slice(0, -1))]
  }
  return [exactly(issuer), exactly(subject)]
}

const claim = (claims: readonly string[]): Condition => ({
  side: 'principal',
  ask: (values, at) => [at.http ? token(claimsMatcher(claims, anyOf(values))) : undefined],
})

function headerCondition(brackets: string, matcherOf: (name: string, value: string) => HeaderMatcherInit): Condition {
  const name = /^\[([^[\]]+)\]$/.exec(brackets)?.[1]
  return principal((value, at) => {
    if (!at.http || name === undefined || !HEADER_NAME.test(name)) return undefined
    return { identifier: { case: 'header', value: matcherOf(name, value) } }
  })
}

/** `[a][b]` leads into nested claims; one pair of brackets may hold anything, such as an address. */
function claimCondition(brackets: string): Condition {
  const names = claimPath(brackets)
  return names ? claim(names) : { side: 'principal', ask: () => [undefined] }
}

function claimPath(brackets: string): readonly string[] | undefined {
  if (!/^\[.+\]$/s.test(brackets)) return undefined
  const names = brackets.slice(1, -1).split('][')
  return names.some((name) => name === '' || /[[\]]/.test(name)) ? undefined : names
}

function filterCondition(key: string): Condition {
  const [, filter, name] = /^([^[]+)\[(.+)\]$/s.exec(key) ?? []
  return {
    side: 'permission',
    ask: (values) => {
      if (filter === undefined || name === undefined) return [undefined]
      return [{ rule: { case: 'sourcedMetadata', value: { metadataMatcher: filterMatcher(filter, name, values) } } }]
    },
  }
}

/** Of HTTP, and of HTTP/2 where it begins with a colon; Envoy refuses others, and with them the listener. */
const HEADER_NAME = /^:?[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function rangeOf(value: string): MessageInitShape<typeof CidrRangeSchema> | undefined {
  const range = canonicalRange(value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`)
  if (range === undefined) return undefined
  const slash = range.indexOf('/')
  return { addressPrefix: range.slice(0, slash), prefixLen: Number(range.slice(slash + 1)) }
}

const ATTRIBUTES: Readonly<Record<string, Condition>> = {
  'source.ip': connectionAddress,
  'remote.ip': clientAddress,
  'source.namespace': namespace,
  'source.principal': identity,
  'source.serviceAccount': serviceAccount,
  'source.trustDomain': trustDomain,
  'request.auth.principal': requestIdentity,
  'request.auth.audiences': claim(['aud']),
  'request.auth.presenter': claim(['azp']),
  'destination.ip': destinationAddress,
  'destination.port': port,
  'connection.sni': serverName,
}

export const OPERATION = { host, method, path, port } as const

export const SOURCE = {
  identity,
  requestIdentity,
  namespace,
  serviceAccount,
  trustDomain,
  connectionAddress,
  clientAddress,
} as const
