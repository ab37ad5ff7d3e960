/** The definitions take what the field writes: every kind that the mesh reads, and every field of the conformance cases at hand. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { RESOURCE_TYPES } from '../resource-types.ts'
import { gatewayApiCrds } from './crds.ts'

const CASES = new URL('../../../../../shared/conformance/gateway-api/', import.meta.url)
const GROUP = 'gateway.networking.k8s.io'

interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
}
interface Version {
  readonly name: string
  readonly storage: boolean
  readonly schema: { readonly openAPIV3Schema: Schema }
}

const definitions = new Map(
  gatewayApiCrds().map(({ spec }) => {
    const { names, versions }: { names: { kind: string; plural: string }; versions: Version[] } = Object(spec)
    return [names.kind, { plural: names.plural, versions }] as const
  }),
)

test('every kind that the mesh reads is defined, in the version in which it reads it', () => {
  for (const { kind, plural, group, version } of Object.values(RESOURCE_TYPES)) {
    if (group !== GROUP) continue
    expect(definitions.get(kind)?.plural, kind).toBe(plural)
    expect(
      definitions.get(kind)?.versions.map(({ name }) => name),
      kind,
    ).toContain(version)
  }
})

test('exactly one version of each kind is the one that is kept', () => {
  for (const { versions } of definitions.values()) expect(versions.filter(({ storage }) => storage)).toHaveLength(1)
})

test('defaults have the shape that they are defaults of', () => {
  for (const { versions } of definitions.values())
    for (const { schema } of versions) {
      const faults: string[] = []
      walk(schema.openAPIV3Schema, '', (at, path) => {
        if (at.default !== undefined) faults.push(...unknownFields(at, at.default, path))
      })
      expect(faults).toEqual([])
    }
})

const files = existsSync(CASES)
  ? readdirSync(CASES)
      .map((name) => new URL(`${name}/input.yaml`, CASES))
      .filter(existsSync)
  : []

test.skipIf(files.length === 0)('no field of the conformance cases is left out', () => {
  const faults = files.flatMap((file) => {
    const parsed = parseAllDocuments(readFileSync(file, 'utf8'))
    return (Array.isArray(parsed) ? parsed : []).flatMap((document) => {
      const object: { apiVersion?: string; kind?: string; spec?: unknown } = Object(document.toJS())
      const [group, version] = (object.apiVersion ?? '').split('/')
      if (group !== GROUP) return []
      const schema = definitions.get(object.kind ?? '')?.versions.find(({ name }) => name === version)?.schema.openAPIV3Schema
      return schema
        ? unknownFields(schema.properties?.['spec'] ?? {}, object.spec, `${object.kind} spec`)
        : [`${object.kind} ${version} is not defined`]
    })
  })
  expect([...new Set(faults)].sort()).toEqual([])
})

function walk(schema: Schema, path: string, visit: (schema: Schema, path: string) => void): void {
  visit(schema, path)
  for (const [name, property] of Object.entries(schema.properties ?? {})) walk(property, `${path}.${name}`, visit)
  if (schema.items) walk(schema.items, `${path}[]`, visit)
}

/** Paths of fields that a schema does not know, and of values of another type. */
function unknownFields(schema: Schema, value: unknown, path: string): string[] {
  if (Array.isArray(value))
    return schema.type === 'array' ? value.flatMap((item) => unknownFields(schema.items ?? {}, item, `${path}[]`)) : [`${path} is no list`]
  if (typeof value !== 'object' || value === null) return schema.enum && !schema.enum.includes(value) ? [`${path} may not be ${value}`] : []
  if (schema['x-kubernetes-preserve-unknown-fields'] || schema.additionalProperties) return []
  return Object.entries(value).flatMap(([name, field]) => {
    const known = schema.properties?.[name]
    return known ? unknownFields(known, field, `${path}.${name}`) : [`${path}.${name}`]
  })
}
