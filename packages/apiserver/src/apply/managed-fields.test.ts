import fc from 'fast-check'
import { expect, test } from 'vitest'
import { definition } from '../schema/builtin.ts'
import { ANY } from '../schema/schema.ts'
import { copy, equal, type Obj, obj } from '../values.ts'
import { applyConfig, type Manager, recordUpdate } from './managed-fields.ts'

const schema = definition('apps.v1.Deployment') ?? ANY
const manager = (name: string): Manager => ({ name, operation: 'Apply', apiVersion: 'apps/v1', subresource: '' })

const container = fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: fc.constantFrom('i:1', 'i:2') })
const config = fc
  .record(
    {
      replicas: fc.nat(5),
      labels: fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2'), { minKeys: 1, maxKeys: 3 }),
      containers: fc.uniqueArray(container, { selector: (c) => c.name, minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  .map(
    ({ replicas, labels, containers }): Obj => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd', ...(labels ? { labels } : {}) },
      spec: { ...(replicas === undefined ? {} : { replicas }), ...(containers ? { template: { spec: { containers } } } : {}) },
    }),
  )

const bare = (object: Obj): Obj => {
  const { managedFields: _m, ...metadata } = obj(object['metadata'])
  return { ...object, metadata }
}

test('applying the same configuration again changes nothing', () => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const live = applyConfig(
        schema,
        applyConfig(schema, undefined, copy(first), manager('one'), false),
        copy(second),
        manager('two'),
        true,
      )
      return equal(applyConfig(schema, live, copy(second), manager('two'), false), live)
    }),
  )
})

test('what only one manager applied is exactly its newest configuration', () => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const live = applyConfig(
        schema,
        applyConfig(schema, undefined, copy(first), manager('one'), false),
        copy(second),
        manager('one'),
        false,
      )
      return equal(prune(bare(live)), prune(second))
    }),
  )
})

/** Without empty objects: removing all fields of an object removes it. */
function prune(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(prune)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .map(([k, v]) => [k, prune(v)] as const)
    .filter(([, v]) => !(typeof v === 'object' && v !== null && !Array.isArray(v) && Object.keys(v).length === 0))
  return Object.fromEntries(entries)
}

test('with force, the newest applier has all that it names', () => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const live = applyConfig(
        schema,
        applyConfig(schema, undefined, copy(first), manager('one'), false),
        copy(second),
        manager('two'),
        true,
      )
      const again = applyConfig(schema, live, copy(second), manager('three'), false)
      return equal(bare(again), bare(live))
    }),
  )
})

test('a conflict names the manager and each field', () => {
  const one: Obj = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 1, paused: true } }
  const live = applyConfig(schema, undefined, copy(one), manager('one'), false)
  expect(() => applyConfig(schema, live, { ...one, spec: { replicas: 2, paused: false } }, manager('two'), false)).toThrow(
    'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.paused\n- .spec.replicas',
  )
})

test('an update takes over the fields that it changes', () => {
  const one: Obj = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 1, paused: true } }
  const live = applyConfig(schema, undefined, copy(one), manager('one'), false)
  const next = copy(live)
  obj(next['spec'])['replicas'] = 5
  recordUpdate(schema, live, next, { name: 'scaler', operation: 'Update', apiVersion: 'apps/v1', subresource: '' })
  expect(() => applyConfig(schema, next, copy(one), manager('one'), false)).toThrow(
    /conflict with "scaler" using apps\/v1 at .*: \.spec\.replicas/,
  )
  const shared = applyConfig(schema, next, { ...one, spec: { paused: true } }, manager('one'), false)
  expect(obj(shared['spec'])['replicas']).toBe(5)
})
