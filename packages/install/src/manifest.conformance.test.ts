/** Objects that other tools look for, against those of Istio's default profile. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { localMesh } from './local-mesh.ts'

const file = join(import.meta.dirname, '../../../../shared/conformance/manifest/profile-default/expected.json')
type Table = Readonly<Record<string, unknown>>
const expected: Readonly<Record<string, Table>> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).reduced : {}

describe.skipIf(!existsSync(file))("the default profile's objects", () => {
  const mesh = localMesh({ hub: 'docker.io/istio' })
  const object = (kind: string, name: string): KubeObject => {
    const found = mesh.find((one) => one.kind === kind && one.metadata.name === name)
    if (!found) throw new Error(`${kind} ${name} is missing`)
    return found
  }
  const table = (key: string, prefix: string): Table =>
    Object.fromEntries(Object.entries(expected[key] ?? {}).filter(([path]) => path.startsWith(prefix)))

  test('the injection webhooks select the same pods', () => {
    const ours = flatten({ webhooks: object('MutatingWebhookConfiguration', 'istio-sidecar-injector')['webhooks'] })
    expect(ours).toEqual(table('MutatingWebhookConfiguration//istio-sidecar-injector', 'webhooks.'))
  })

  test('Services have the same ports and selectors', () => {
    for (const name of ['istiod', 'istio-ingressgateway'])
      expect(flatten({ spec: object('Service', name).spec })).toEqual(table(`Service/istio-system/${name}`, 'spec.'))
  })

  test('injection values are the same', () => {
    const data = object('ConfigMap', 'istio-sidecar-injector')['data']
    const text = typeof data === 'object' && data !== null && 'values' in data ? String(data.values) : ''
    expect(flatten({ data: { values: JSON.parse(text) } })).toEqual(table('ConfigMap/istio-system/istio-sidecar-injector', 'data.values.'))
  })

  test('the mesh configuration differs in the access log alone', () => {
    const data = object('ConfigMap', 'istio')['data']
    const text = typeof data === 'object' && data !== null && 'mesh' in data ? String(data.mesh) : ''
    const { accessLogFile, ...mesh } = parse(text)
    expect(accessLogFile).toBe('/dev/stdout')
    expect(flatten({ data: { mesh } })).toEqual(table('ConfigMap/istio-system/istio', 'data.mesh.'))
  })

  test('the ports, probe and arguments of istiod are the same', () => {
    const ours = flatten({ spec: object('Deployment', 'istiod').spec })
    const theirs = table('Deployment/istio-system/istiod', 'spec.template.spec.containers.[discovery].')
    const compared = Object.entries(theirs).filter(([path]) => /\.(args|ports|readinessProbe|image|securityContext)\b/.test(path))
    expect(Object.fromEntries(compared.map(([path]) => [path, ours[path]]))).toEqual(Object.fromEntries(compared))
  })
})

/** Dotted paths; list elements by name where all have one. */
function flatten(value: unknown, path = ''): Record<string, unknown> {
  const isList = Array.isArray(value)
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
    return { [path]: typeof value === 'object' && value !== null ? (isList ? '[]' : '{}') : value }
  const named = isList && value.every((item) => typeof item?.name === 'string')
  const entries: [string, unknown][] = isList ? value.map((item, index) => [`[${named ? item.name : index}]`, item]) : Object.entries(value)
  return Object.assign({}, ...entries.map(([key, item]) => flatten(item, path === '' ? key : `${path}.${key}`)))
}
