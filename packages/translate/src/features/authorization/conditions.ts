/**
 * The conditions of authorization rules. A test gives undefined for a value that cannot be asked: one of HTTP on a chain of bytes, or
 * one that is not of the right form.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CidrRangeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/address_pb.js'
import { canonicalRange } from '@lateen/model'
import type { StringMatcherInit } from '../../builders/string-match.ts'
import { type Condition, type PrincipalInit, permission, principal } from './condition.ts'
import { headerCondition, host, method } from './header-condition.ts'
import {
  anyOf,
  claimMatcher,
  claimsMatcher,
  endingWith,
  exactly,
  filterMatcher,
  headerMatcher,
  identityMatcher,
  listedHeaderMatcher,
  type MetadataMatcherInit,
  matching,
  NOT_EMPTY,
  quoted,
  startingWith,
  textMatcher,
} from './matchers.ts'
import { path } from './path-condition.ts'
import { allNames, withAliases } from './trust-domains.ts'

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

const token = (matcher: MetadataMatcherInit): PrincipalInit => ({
  identifier: { case: 'sourcedMetadata', value: { metadataMatcher: matcher } },
})
const peer = (matcher: StringMatcherInit): PrincipalInit => ({
  identifier: { case: 'authenticated', value: { principalName: matcher } },
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
