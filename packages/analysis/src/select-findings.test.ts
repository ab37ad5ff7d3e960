import { expect, test } from 'vitest'
import { analyze } from './analyze.ts'
import { ANALYZERS } from './registry.ts'
import { readResource } from './resource.ts'
import { type Selection, selectFindings } from './select-findings.ts'
import { World } from './world.ts'

const pod = (name: string, namespace: string, annotations = {}) =>
  readResource({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations },
    spec: { containers: [{ name: 'app', securityContext: { runAsUser: 1337 } }] },
  }) ?? []

const suppress = (code: string) => ({ 'galley.istio.io/analyze-suppress': code })
const world = new World(
  [pod('web', 'shop'), pod('db', 'shop', suppress('IST0103,IST0144')), pod('web', 'other'), pod('all', 'other', suppress('*'))].flat(),
)
const { findings } = analyze(world, { analyzers: ANALYZERS })
const shown = (selection: Selection) => selectFindings(findings, selection).map(({ origin }) => origin)

test.each<[string, Selection, string[]]>([
  ['all without what annotations suppress', {}, ['Pod other/web', 'Pod shop/web']],
  ['one namespace', { namespace: 'shop' }, ['Pod shop/web']],
  ['name and namespace with a dot', { suppressions: [{ code: 'IST0144', origin: 'Pod web.shop' }] }, ['Pod other/web']],
  ['name and namespace as shown', { suppressions: [{ code: 'IST0144', origin: 'Pod shop/web' }] }, ['Pod other/web']],
  ['a wildcard', { suppressions: [{ code: 'IST0144', origin: 'Pod *.other' }] }, ['Pod shop/web']],
  ['another code', { suppressions: [{ code: 'IST0103', origin: 'Pod *' }] }, ['Pod other/web', 'Pod shop/web']],
])('%s', (_, selection, expected) => {
  expect(shown(selection).sort()).toEqual(expected)
})
