/** Findings compared with Istio's, case by case, when the cases are at hand: codes, levels and origins. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { parseDocuments, parseMeshConfig } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { analyze } from './analyze.ts'
import { defaultResources } from './default-resources.ts'
import { type KindName, RUNTIME_KINDS } from './kinds.ts'
import { isUnreadable, readProblems } from './read-problems.ts'
import { ANALYZERS } from './registry.ts'
import { readResource } from './resource.ts'
import { isSystemNamespace } from './system-namespaces.ts'
import { DEFAULT_SETTINGS, World } from './world.ts'

const CASES = new URL('../../../../shared/conformance/analyze/', import.meta.url)
const names = existsSync(CASES) ? readdirSync(CASES).filter((name) => existsSync(new URL(`${name}/case.json`, CASES))) : []

/** Fields of Envoy's own messages are not known here; the networks of the other case are in no input. */
const DECLARED: ReadonlySet<string> = new Set([
  'envoy-filter-uses-add-operation',
  'envoy-filter-uses-relative-operation',
  'envoy-filter-uses-replace-operation',
  'unknown-service-registry-in-mesh-networks',
])

interface Message {
  readonly code: string
  readonly level: string
  readonly origin?: string
}
interface Case {
  readonly inputs: readonly string[]
  readonly meshConfig: string | null
}
interface Expected {
  readonly runs: readonly { readonly run: string; readonly messages?: readonly Message[] }[]
  readonly expectedCluster: readonly Message[]
}

const read = (name: string, file: string): string => readFileSync(new URL(`${name}/${file}`, CASES), 'utf8')
const lines = (messages: readonly Message[]) => messages.map(({ code, level, origin }) => `${code} ${level} ${origin ?? ''}`).sort()

function found(name: string, asCluster: boolean): string[] {
  const { inputs, meshConfig }: Case = JSON.parse(read(name, 'case.json'))
  const leftOut: ReadonlySet<KindName> = asCluster ? new Set() : RUNTIME_KINDS
  const parsed = inputs.flatMap((input) => parseDocuments(read(name, input), input).objects)
  const resources = parsed.flatMap(({ object, positionOf }) => {
    const resource = readResource(object, { origin: { file: 'input.yaml', positionOf }, defaultNamespace: asCluster ? 'default' : '' })
    if (!resource || leftOut.has(resource.kind) || isUnreadable(readProblems(resource))) return []
    return isSystemNamespace(resource.kind === 'Namespace' ? resource.name : resource.namespace) ? [] : [resource]
  })
  const settings = meshConfig === null ? DEFAULT_SETTINGS : { meshConfig: parseMeshConfig(read(name, meshConfig)).config }
  const all = asCluster ? [...resources, ...defaultResources(settings.meshConfig, 'istio-system')] : resources
  const { findings } = analyze(new World(all, { ...settings, now: Date.UTC(2026, 0, 1) }), { analyzers: ANALYZERS, unavailable: leftOut })
  return lines(findings)
}

describe.skipIf(names.length === 0)("Istio's findings", () => {
  test.each(names.filter((name) => !DECLARED.has(name)))('%s', (name) => {
    const expected: Expected = JSON.parse(read(name, 'expected.json'))
    const files = expected.runs.find(({ run }) => run === 'all-namespaces')?.messages ?? []
    expect({ files: found(name, false), cluster: found(name, true) }).toEqual({
      files: lines(files),
      cluster: lines(expected.expectedCluster),
    })
  })
})
