import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../object.ts'
import { RESOURCE_TYPES } from '../resource-types.ts'
import { celProblem } from '../validation/cel-syntax.ts'
import { crds } from './crds.ts'
import { KINDS, kindOf } from './kinds.ts'

const FACTS = new URL('../../../../../shared/facts/crds.json', import.meta.url)

interface CrdSpec {
  group: string
  scope: string
  names: Record<string, unknown>
  versions: { name: string; schema: unknown; additionalPrinterColumns?: { name: string; jsonPath: string; type: string }[] }[]
}

const specOf = (crd: KubeObject) => structuredClone(crd.spec) as CrdSpec

describe.skipIf(!existsSync(FACTS))('compared with the facts about Istio', () => {
  const facts = existsSync(FACTS) ? (JSON.parse(readFileSync(FACTS, 'utf8')) as CrdSpec[]) : []

  test.each(facts.map((fact) => [String(fact.names.kind), fact] as const))(
    '%s has the names, versions, columns and fields',
    (kind, fact) => {
      const mine = specOf(
        crds().find((crd) => crd.metadata.name === `${String(fact.names.plural)}.${fact.group}`) ?? {
          apiVersion: '',
          kind,
          metadata: { name: '' },
        },
      )
      expect({ group: mine.group, scope: mine.scope, names: mine.names }).toEqual({
        group: fact.group,
        scope: fact.scope,
        names: fact.names,
      })
      expect(mine.versions.map(comparableVersion)).toEqual(fact.versions.map(comparableVersion))
      expect(comparable(mine.versions[0]?.schema && (mine.versions[0].schema as { openAPIV3Schema: unknown }).openAPIV3Schema)).toEqual(
        comparable(fact.versions[0]?.schema),
      )
    },
  )

  test('all kinds are there', () => {
    expect(KINDS.map(({ kind }) => kind).sort()).toEqual(facts.map((fact) => String(fact.names.kind)).sort())
  })
})

test('every name in RESOURCE_TYPES of an Istio kind is filled in from the kinds', () => {
  for (const { group, kind, plural } of KINDS)
    expect(RESOURCE_TYPES[kind as keyof typeof RESOURCE_TYPES]).toMatchObject({ group, kind, plural })
  expect(RESOURCE_TYPES.VirtualService).toEqual({
    group: 'networking.istio.io',
    version: 'v1',
    kind: 'VirtualService',
    plural: 'virtualservices',
    namespaced: true,
  })
})

test('a kind is found by group and name only', () => {
  expect(kindOf('networking.istio.io', 'Gateway')?.plural).toBe('gateways')
  expect(kindOf('gateway.networking.k8s.io', 'Gateway')).toBeUndefined()
})

test('every schema is structural: each node has a type, and only allowed keywords stand beside it', () => {
  for (const crd of crds()) {
    for (const version of specOf(crd).versions)
      expectStructural((version.schema as { openAPIV3Schema: unknown }).openAPIV3Schema, crd.metadata.name)
  }
})

test('every rule is an expression of CEL', () => {
  const wrong: string[] = []
  const visit = (schema: unknown, path: string) => {
    if (typeof schema !== 'object' || schema === null) return
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'x-kubernetes-validations') {
        for (const { rule } of value as { rule: string }[]) if (celProblem(rule)) wrong.push(`${path}: ${rule}`)
      } else visit(value, `${path}.${key}`)
    }
  }
  for (const crd of crds()) visit(crd.spec, crd.metadata.name)
  expect(wrong).toEqual([])
})

test('every field has a description', () => {
  const missing: string[] = []
  for (const { kind, spec } of KINDS) {
    const visit = (node: typeof spec, path: string) => {
      for (const [name, { node: child }] of Object.entries(node.fields)) {
        if (!child.description) missing.push(`${path}.${name}`)
        const inner = child.kind === 'list' ? child.items : child.kind === 'map' ? child.values : child
        if (inner.kind === 'message') visit(inner, `${path}.${name}`)
      }
    }
    visit(spec, kind)
  }
  expect(missing).toEqual([])
})

function expectStructural(schema: unknown, path: string): void {
  const node = schema as Record<string, unknown>
  if (node['x-kubernetes-int-or-string']) return expect(node.type, path).toBeUndefined()
  expect(node.type, path).toMatch(/^(object|array|string|integer|number|boolean)$/)
  if (node.properties) {
    expect(node.additionalProperties, path).toBeUndefined()
    for (const [key, value] of Object.entries(node.properties)) expectStructural(value, `${path}.${key}`)
  }
  if (node.additionalProperties) expectStructural(node.additionalProperties, `${path}{}`)
  if (node.type === 'array') expectStructural(node.items, `${path}[]`)
}

function comparableVersion(version: CrdSpec['versions'][number]): unknown {
  const { schema: _, additionalPrinterColumns, ...rest } = version
  return {
    ...rest,
    additionalPrinterColumns: (additionalPrinterColumns ?? []).map(({ name, jsonPath, type }) => ({ name, jsonPath, type })),
  }
}

/** Without texts, rules, and what the facts leave out; lists of names in one order. */
function comparable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(comparable)
  if (typeof schema !== 'object' || schema === null) return schema
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'x-kubernetes-validations' || (key === 'description' && typeof value === 'string')) continue
    if (key === 'properties') {
      // The facts leave `message` of conditions out, as all texts.
      result[key] = Object.fromEntries(Object.entries(value as object).flatMap(([k, v]) => (k === 'message' ? [] : [[k, comparable(v)]])))
    } else result[key] = key === 'required' ? [...(value as string[])].sort() : comparable(value)
  }
  return result
}
