/** What makes an AuthorizationPolicy unusable or surely not what was meant. */
import type { At } from '../../diagnostics/at.ts'
import { checkIpOrCidr, checkPortText } from '../../validation/addresses.ts'
import { checkAttachment } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import type { AuthorizationPolicySpec, AuthorizationRule, Operation, Source } from './authorization-policy.ts'
import { checkCondition } from './check-condition.ts'

export function checkAuthorizationPolicy({ spec, at }: Subject<AuthorizationPolicySpec>): void {
  const { action = 'ALLOW', provider, rules } = spec
  checkAttachment(spec, at)
  if (action === 'CUSTOM') {
    if (rules && !provider?.name) at.in('provider', 'name').say('ProviderName')
    at.in('rules').each(rules, checkCustomRule)
  } else if (provider) at.in('provider').say('ProviderWithoutCustom', { action })
  if ((action === 'CUSTOM' || action === 'DENY') && !rules) at.in('rules').say('RulesMissing', { action })
  at.in('rules').each(rules, (rule, place) => {
    checkRule(rule, place)
    if (action === 'DENY' && deniesAllTcp(rule)) place.say('DenyAllTcp')
  })
}

/** What an external authorizer decides cannot depend on what only the other engine looks at. */
function checkCustomRule(rule: AuthorizationRule, at: At): void {
  at.in('from').each(rule.from, ({ source }, place) => {
    for (const field of [
      'namespaces',
      'notNamespaces',
      'principals',
      'notPrincipals',
      'requestPrincipals',
      'notRequestPrincipals',
      'serviceAccounts',
      'notServiceAccounts',
    ] as const) {
      if (source?.[field]?.length) place.in('source', field).say('CustomUnsupported', { field })
    }
  })
  at.in('when').each(rule.when, ({ key = '' }, place) => {
    if (key === 'source.namespace' || key === 'source.principal' || key === 'source.serviceAccount' || key.startsWith('request.auth.')) {
      place.in('key').say('CustomUnsupported', { field: key })
    }
  })
}

function checkRule(rule: AuthorizationRule, at: At): void {
  at.in('from').each(rule.from, ({ source }, place) => {
    if (source) checkSource(source, place.in('source'))
    else place.in('source').say('SourceMissing')
  })
  at.in('to').each(rule.to, ({ operation }, place) => {
    if (operation) checkOperation(operation, place.in('operation'))
    else place.in('operation').say('OperationMissing')
  })
  at.in('when').each(rule.when, checkCondition)
}

function checkSource(source: Source, at: At): void {
  const lists = Object.entries(source) as [keyof Source, readonly string[]][]
  if (lists.every(([, values]) => values.length === 0)) at.say('SourceEmpty')
  for (const [field, values] of lists) checkNotEmpty(values, at.in(field))
  for (const field of ['ipBlocks', 'notIpBlocks', 'remoteIpBlocks', 'notRemoteIpBlocks'] as const) {
    at.in(field).each(source[field], (value, place) => {
      if (value !== '') checkIpOrCidr(value, place)
    })
  }
  const accounts = source.serviceAccounts?.length || source.notServiceAccounts?.length
  if (
    accounts &&
    (source.principals?.length || source.notPrincipals?.length || source.namespaces?.length || source.notNamespaces?.length)
  ) {
    at.say('ServiceAccountsWith')
  }
  for (const field of ['serviceAccounts', 'notServiceAccounts'] as const) {
    at.in(field).each(source[field], (value, place) => {
      if (value.split('/').length > 2 || value.includes('*')) place.say('ServiceAccountForm', { value })
    })
  }
}

function checkOperation(operation: Operation, at: At): void {
  const lists = Object.entries(operation) as [keyof Operation, readonly string[]][]
  if (lists.every(([, values]) => values.length === 0)) at.say('OperationEmpty')
  for (const [field, values] of lists) checkNotEmpty(values, at.in(field))
  for (const field of ['ports', 'notPorts'] as const) {
    at.in(field).each(operation[field], (value, place) => {
      if (value !== '') checkPortText(value, place)
    })
  }
  for (const field of ['paths', 'notPaths'] as const) {
    at.in(field).each(operation[field], (path, place) => {
      if (isBadTemplate(path)) place.say('PathTemplate', { path })
    })
  }
}

function checkNotEmpty(values: readonly string[], at: At): void {
  at.each(values, (value, place) => {
    if (value === '') place.say('EmptyValue')
  })
}

/** `{*}` and `{**}` make a path a template, in which no other braces, names or stars may stand. */
function isBadTemplate(path: string): boolean {
  return (path.includes('{*}') || path.includes('{**}')) && /\/\{\w+=\*\*?\}|\{\w*\}|\/\*\*?|\*\*?\//.test(path)
}

const TCP_SOURCES = [
  'principals',
  'notPrincipals',
  'ipBlocks',
  'notIpBlocks',
  'namespaces',
  'notNamespaces',
  'remoteIpBlocks',
  'notRemoteIpBlocks',
  'serviceAccounts',
  'notServiceAccounts',
] as const

/** For plain TCP, HTTP attributes of a DENY rule count as matched: what names nothing else denies all of it. */
function deniesAllTcp({ from = [], to = [] }: AuthorizationRule): boolean {
  const sources = from.flatMap(({ source }) => source ?? [])
  const operations = to.flatMap(({ operation }) => operation ?? [])
  if (operations.length > 0) return !operations.some(({ ports, notPorts }) => ports || notPorts)
  return sources.length > 0 && !sources.some((source) => TCP_SOURCES.some((field) => source[field]))
}
