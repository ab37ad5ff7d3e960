/** The check of conditions (`when`) of an authorization rule. */
import { ownValue } from '@lateen/base'
import type { At } from '../../diagnostics/at.ts'
import { nearest } from '../../diagnostics/suggest.ts'
import { checkIpOrCidr, checkPortText } from '../../validation/addresses.ts'
import type { AuthorizationCondition } from './authorization-policy.ts'

/** Attributes whose values are free text, addresses or ports. */
const ATTRIBUTES: Readonly<Record<string, 'text' | 'address' | 'port'>> = {
  'source.ip': 'address',
  'remote.ip': 'address',
  'source.namespace': 'text',
  'source.principal': 'text',
  'source.serviceAccount': 'text',
  'source.trustDomain': 'text',
  'request.auth.principal': 'text',
  'request.auth.audiences': 'text',
  'request.auth.presenter': 'text',
  'destination.ip': 'address',
  'destination.port': 'port',
  'connection.sni': 'text',
}

/** Attributes that ask for a key in brackets. */
const KEYED = ['request.headers', 'request.experimental.inline.headers', 'request.auth.claims', 'experimental.envoy.filters.']

/** Attributes of an older API. */
const REPLACED: Readonly<Record<string, string>> = {
  'destination.namespace': 'metadata.namespace of the policy',
  'destination.name': 'selector',
  'destination.user': 'selector',
}

export function checkCondition({ key = '', values = [], notValues = [] }: AuthorizationCondition, at: At): void {
  const place = at.in('key')
  if (key === '') return place.say('KeyEmpty')
  if (values.length === 0 && notValues.length === 0) return at.say('ValuesMissing', { key })
  if (KEYED.some((name) => key.startsWith(name))) {
    if (!/^[^[]+\[.+\]$/s.test(key)) place.say('AttributeForm', { key })
  } else if (key.startsWith('destination.labels')) place.say('AttributeReplaced', { key, better: 'selector' })
  else if (ownValue(REPLACED, key)) place.say('AttributeReplaced', { key, better: ownValue(REPLACED, key) ?? '' })
  else if (!Object.hasOwn(ATTRIBUTES, key)) {
    const near = nearest(key, [...Object.keys(ATTRIBUTES), ...KEYED])
    place.say('UnknownAttribute', { key, hint: near === undefined ? '' : `; did you mean "${near}"?` })
  }
  checkValues(key, values, at.in('values'))
  checkValues(key, notValues, at.in('notValues'))
}

function checkValues(key: string, values: readonly string[], at: At): void {
  const form = Object.hasOwn(ATTRIBUTES, key) ? ATTRIBUTES[key] : 'text'
  at.each(values, (value, place) => {
    if (value === '') place.say('EmptyValue')
    else if (form === 'address') checkIpOrCidr(value, place)
    else if (form === 'port') checkPortText(value, place)
  })
}
