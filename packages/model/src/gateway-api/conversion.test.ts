/**
 * The Gateway API's objects as Istio's: cases of input and expected Gateways and VirtualServices, from outside the repository. Where
 * they are not there, the tests are skipped, visibly.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DestinationRuleSpec, KubeObject } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { CASES, caseNames, documents, modelOf } from '../../testdata/gateway-api-cases.ts'

interface Converted {
  readonly spec: unknown
  readonly services?: readonly string[] | undefined
}

function convert(objects: readonly KubeObject[]): Record<string, Converted> {
  const { model } = modelOf(objects)
  const found: Record<string, Converted> = {}
  for (const key of model.gateways.keys()) {
    const gateway = model.gateways.peek(key)
    if (gateway) found[`Gateway ${key}`] = { spec: plain(gateway.spec), services: gateway.services }
  }
  for (const key of model.virtualServices.keys()) {
    const vs = model.virtualServices.peek(key)
    if (vs) found[`VirtualService ${key}`] = { spec: plain(vs.spec) }
  }
  for (const key of model.destinationRules.keys()) {
    const rule = model.destinationRules.peek(key)
    if (rule?.origin.kind === 'BackendTLSPolicy') found[`DestinationRule ${key}`] = { spec: plain(unchecked(rule.spec)) }
  }
  return inOrder(found)
}

/** Istio's rules leave out that a certificate must be for the host itself. */
function unchecked(spec: DestinationRuleSpec): DestinationRuleSpec {
  const { sni, subjectAltNames = [], ...tls } = spec.trafficPolicy?.tls ?? {}
  const checked = subjectAltNames.length !== 1 || subjectAltNames[0] !== sni
  return { ...spec, trafficPolicy: { ...spec.trafficPolicy, tls: { ...tls, ...(sni && { sni }), ...(checked && { subjectAltNames }) } } }
}

/** Values that a text of the object would not show are left out, as in the expected objects. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const shown = Object.entries(value).filter(
    ([name, field]) => field !== undefined && !(name === 'mode' && field === 'PASSTHROUGH') && !(name === 'host' && field === ''),
  )
  return Object.fromEntries(shown.map(([name, field]) => [name, name === 'destination' && isNowhere(field) ? {} : plain(field)]))
}

/** Destinations that no service has; Istio has a name of its own for those of bytes. */
const isNowhere = (value: unknown) =>
  typeof value === 'object' && value !== null && ['', 'internal.cluster.local'].includes(String(Reflect.get(value, 'host')))

const inOrder = (map: Record<string, Converted>) => Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))

const parentsOf = ({ annotations }: KubeObject['metadata']): string => annotations?.['internal.istio.io/parents'] ?? ''

function expectedOf(file: string): Record<string, Converted> {
  const entries = documents(file)
    .filter(({ kind, metadata }) => kind === 'Gateway' || kind === 'VirtualService' || /^BackendTLSPolicy/.test(parentsOf(metadata)))
    .map(({ kind, metadata, spec }): [string, Converted] => {
      const services = metadata.annotations?.['internal.istio.io/gateway-service']?.split(',')
      return [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, { spec: plain(spec), ...(kind === 'Gateway' && { services }) }]
    })
  return inOrder(Object.fromEntries(entries))
}

describe.skipIf(!existsSync(CASES))('the Gateway API converts as in', () => {
  for (const name of caseNames()) {
    test(name, () => {
      expect(convert(documents(join(CASES, name, 'input.yaml')))).toEqual(expectedOf(join(CASES, name, 'expected.yaml')))
    })
  }
})
