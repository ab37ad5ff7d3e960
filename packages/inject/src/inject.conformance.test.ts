/** Injection against what Istio makes of the same objects, settings and mesh configuration. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { injectObject } from './inject-object.ts'
import type { InjectionSettings } from './inject-pod.ts'
import { isRecord } from './pod/pod.ts'
import { injectorConfigOfValues, readMesh } from './settings/injector-config.ts'
import { DEFAULT_VALUES, mergeValues, type Values } from './settings/values.ts'

const cases = join(import.meta.dirname, '../../../../shared/conformance/inject')
const OPENSHIFT_NAMESPACE = { 'openshift.io/sa.scc.uid-range': '1000620000/10000' }

interface Case {
  readonly setFlags: readonly string[]
  readonly iop: string | null
  readonly meshOverrides: Values | null
  readonly overrides: Readonly<Record<string, string>>
}

describe.skipIf(!existsSync(cases))('injected objects equal those of Istio', () => {
  for (const name of existsSync(cases) ? readdirSync(cases) : [])
    test(name, () => {
      const folder = join(cases, name)
      const settings = settingsOf(folder)
      const namespaceAnnotations = () => (name === 'hello-openshift' ? OPENSHIFT_NAMESPACE : undefined)
      const injected = objects(folder, 'input.yaml').map((object) =>
        injectObject(object, { settings, namespace: 'default', namespaceAnnotations }),
      )
      const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
      if (expected.error)
        expect(
          injected
            .flatMap((one) => one.problems)
            .join('\n')
            .toLowerCase(),
        ).toContain(expected.error)
      else {
        expect(injected.flatMap((one) => one.problems)).toEqual([])
        expect(injected.map((one) => reduced(one.object))).toEqual(objects(folder, 'expected.yaml').map(reduced))
        const again = injected.map((one) => injectObject(one.object, { settings, namespace: 'default', namespaceAnnotations }))
        expect(again.map((one) => one.object)).toEqual(injected.map((one) => one.object))
      }
    })
})

function settingsOf(folder: string): InjectionSettings {
  const file: Case = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'))
  const flags = file.setFlags.map((flag) => tree(flag)).reduce(mergeValues, {})
  const operator = file.iop ? parse(readFileSync(join(folder, file.iop), 'utf8')).spec : {}
  const spec = mergeValues(operator, flags)
  const installed = mergeValues(DEFAULT_VALUES, { global: { hub: 'registry.istio.io/testing', tag: 'latest' } })
  const components = isRecord(spec.components) ? spec.components : {}
  const cni = isRecord(components.cni) && components.cni.enabled === true
  const own = isRecord(spec.values) ? spec.values : {}
  const provider = isRecord(own.cni) && typeof own.cni.provider === 'string' ? own.cni.provider : 'default'
  const values = mergeValues(mergeValues(installed, own), cni ? { pilot: { cni: { enabled: true, provider } } } : {})
  return {
    config: injectorConfigOfValues(values),
    values,
    mesh: readMesh(file.meshOverrides ?? {}),
    revision: 'default',
    // The cases' switch 1 means off; without it, native sidecars are on.
    nativeSidecars: file.overrides['features.EnableNativeSidecars'] !== '1',
  }
}

/** `a.b=c` as a tree. */
function tree(flag: string): Values {
  const at = flag.indexOf('=')
  const text = flag.slice(at + 1)
  const value = text === 'true' ? true : text === 'false' ? false : /^[0-9]+$/.test(text) ? Number(text) : text
  return flag
    .slice(0, at)
    .split('.')
    .reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Values
}

function objects(folder: string, file: string): Record<string, unknown>[] {
  return parseAllDocuments(readFileSync(join(folder, file), 'utf8'))
    .map((document) => document.toJSON())
    .filter(isRecord)
}

/** Without status, without null fields, annotations that hold JSON parsed. */
function reduced(object: unknown): unknown {
  if (Array.isArray(object)) return object.map(reduced)
  if (!isRecord(object)) return object
  return Object.fromEntries(
    Object.entries(object)
      .filter(([key, value]) => !(key === 'status' && isRecord(value)) && value !== null)
      .map(([key, value]) => [key, reduced(value)]),
  )
}
