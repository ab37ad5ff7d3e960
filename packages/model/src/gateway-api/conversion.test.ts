/**
 * The Gateway API's objects as Istio's: cases of input and expected Gateways and VirtualServices, from outside the repository. Where
 * they are not there, the tests are skipped, visibly.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
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
  return inOrder(found)
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

function expectedOf(file: string): Record<string, Converted> {
  const entries = documents(file)
    .filter(({ kind }) => kind === 'Gateway' || kind === 'VirtualService')
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
