/** Envoy's RBAC rules: which policy decides, and how. */
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { TypedExtensionConfig } from '@lateen/envoy/gen/envoy/config/core/v3/extension_pb.js'
import {
  RBAC_Action as Action,
  MetadataSource,
  type Permission,
  type Policy,
  type Principal,
  type RBAC,
  type SourcedMetadata,
} from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { UriTemplateMatchConfigSchema } from '@lateen/envoy/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'
import type { PathMatcher } from '@lateen/envoy/gen/envoy/type/matcher/v3/path_pb.js'
import { headerMatches } from '../matching/header-match.ts'
import { type FilterNotes, metadataMatches } from '../matching/metadata-match.ts'
import { type HttpRequest, pathOnly } from '../matching/request.ts'
import { stringMatches } from '../matching/string-match.ts'
import { templateMatches } from '../matching/uri-template.ts'
import { every, not, some, type Truth } from '../matching/verdict.ts'
import { inRange } from '../ranges.ts'
import type { TraceCall } from '../trace/call.ts'

/** What rules look at. Without a request, conditions on one do not hold. */
export interface RbacSubject {
  readonly call: TraceCall
  readonly request: HttpRequest | undefined
  readonly notes: FilterNotes
}

export interface RbacVerdict {
  readonly allowed: Truth
  /** The first policy that matches, or that would decide if what is unknown held; absent when none does. */
  readonly policy?: string
}

/**
 * ALLOW lets pass what any policy matches, DENY stops it, LOG lets everything pass. Rules that are missing let everything pass; an ALLOW
 * without policies stops everything.
 */
export function decideRbac(rules: RBAC | undefined, subject: RbacSubject): RbacVerdict {
  if (!rules) return { allowed: true }
  let open: string | undefined
  for (const name of Object.keys(rules.policies).sort()) {
    const policy = rules.policies[name]
    const truth = policy ? policyMatches(policy, subject) : false
    if (truth === true && open === undefined) return { allowed: rules.action !== Action.DENY, policy: name }
    if (truth !== false) open ??= name
  }
  if (open !== undefined) return { allowed: rules.action === Action.LOG ? true : 'unknown', policy: open }
  return { allowed: rules.action !== Action.ALLOW }
}

/** Whether each policy matches, by name, in the order in which they are asked. */
export function matchesOf(rules: RBAC, subject: RbacSubject): readonly (readonly [name: string, matches: Truth])[] {
  return Object.entries(rules.policies)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, policy]) => [name, policyMatches(policy, subject)])
}

function policyMatches(policy: Policy, subject: RbacSubject): Truth {
  const conditions: (() => Truth)[] = [
    () => some(policy.permissions, (permission) => permissionHolds(permission, subject)),
    () => some(policy.principals, (principal) => principalHolds(principal, subject)),
    () => (policy.condition || policy.checkedCondition ? 'unknown' : true),
  ]
  return every(conditions, (ask) => ask())
}

function permissionHolds({ rule }: Permission, subject: RbacSubject): Truth {
  const { call } = subject
  switch (rule.case) {
    case 'andRules':
      return every(rule.value.rules, (inner) => permissionHolds(inner, subject))
    case 'orRules':
      return some(rule.value.rules, (inner) => permissionHolds(inner, subject))
    case 'any':
      return rule.value
    case 'header':
      return subject.request ? headerMatches(rule.value, subject.request) : false
    case 'urlPath':
      return pathHolds(rule.value, subject.request)
    case 'destinationIp':
      return inRange(call.destination.address, rule.value.addressPrefix, rule.value.prefixLen ?? 0)
    case 'destinationPort':
      return call.destination.port === rule.value
    case 'destinationPortRange':
      return call.destination.port >= rule.value.start && call.destination.port < rule.value.end
    case 'metadata':
      return metadataMatches(rule.value, subject.notes)
    case 'notRule':
      return not(permissionHolds(rule.value, subject))
    case 'requestedServerName':
      return stringMatches(rule.value, call.tls === 'plaintext' ? '' : call.sni)
    case 'sourcedMetadata':
      return noteHolds(rule.value, subject)
    case 'uriTemplate':
      return templateHolds(rule.value, subject.request)
    case 'matcher':
      return 'unknown'
    case undefined:
      return false
  }
}

function templateHolds({ typedConfig }: TypedExtensionConfig, request: HttpRequest | undefined): Truth {
  if (!request) return false
  const template =
    typedConfig && anyIs(typedConfig, UriTemplateMatchConfigSchema) ? anyUnpack(typedConfig, UriTemplateMatchConfigSchema) : undefined
  return template ? templateMatches(template.pathTemplate, pathOnly(request.path)) : 'unknown'
}

/** Notes of the request; those of its route are not kept here. */
function noteHolds({ metadataMatcher, metadataSource }: SourcedMetadata, { notes }: RbacSubject): Truth {
  if (metadataSource !== MetadataSource.DYNAMIC) return 'unknown'
  return metadataMatcher ? metadataMatches(metadataMatcher, notes) : false
}

function principalHolds({ identifier }: Principal, subject: RbacSubject): Truth {
  const { call } = subject
  const from = (range: { readonly addressPrefix: string; readonly prefixLen?: number | undefined }, address: string | undefined): Truth =>
    address === undefined ? 'unknown' : inRange(address, range.addressPrefix, range.prefixLen ?? 0)
  switch (identifier.case) {
    case 'andIds':
      return every(identifier.value.ids, (inner) => principalHolds(inner, subject))
    case 'orIds':
      return some(identifier.value.ids, (inner) => principalHolds(inner, subject))
    case 'any':
      return identifier.value
    case 'authenticated': {
      if (call.tls !== 'mtls') return false
      const { principalName } = identifier.value
      if (!principalName) return true
      return call.principal === undefined ? 'unknown' : stringMatches(principalName, call.principal)
    }
    case 'sourceIp':
    case 'directRemoteIp':
      return from(identifier.value, call.sourceAddress)
    case 'remoteIp':
      return from(identifier.value, call.clientAddress ?? call.sourceAddress)
    case 'header':
      return subject.request ? headerMatches(identifier.value, subject.request) : false
    case 'urlPath':
      return pathHolds(identifier.value, subject.request)
    case 'metadata':
      return metadataMatches(identifier.value, subject.notes)
    case 'notId':
      return not(principalHolds(identifier.value, subject))
    case 'sourcedMetadata':
      return noteHolds(identifier.value, subject)
    case 'filterState':
    case 'custom':
      return 'unknown'
    case undefined:
      return false
  }
}

function pathHolds({ rule }: PathMatcher, request: HttpRequest | undefined): Truth {
  return request && rule.case === 'path' ? stringMatches(rule.value, pathOnly(request.path)) : false
}
