/** A mesh of a thousand services with a thousand routes is analysed while one waits. */
import { expect, test } from 'vitest'
import { analyze } from './analyze.ts'
import { ANALYZERS } from './registry.ts'
import { readResource } from './resource.ts'
import { World } from './world.ts'

const COUNT = 1_000

function objects(i: number) {
  const metadata = { name: `service-${i}`, namespace: `namespace-${i % 20}` }
  const labels = { app: metadata.name, version: 'v1' }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: metadata.name }, ports: [{ name: 'http', port: 80 }] } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, labels }, spec: { containers: [{ name: 'istio-proxy', image: 'proxy' }] } },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata,
      spec: { hosts: [metadata.name], http: [{ route: [{ destination: { host: metadata.name, subset: 'v1' } }] }] },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata,
      spec: { host: metadata.name, subsets: [{ name: 'v1', labels: { version: 'v1' } }] },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata,
      spec: { workloadSelector: { labels: { app: metadata.name } }, egress: [{ hosts: ['./*'] }] },
    },
  ]
}

test('a thousand of each kind within two seconds', () => {
  const began = performance.now()
  const resources = Array.from({ length: COUNT }, (_, i) => i).flatMap((i) => objects(i).flatMap((object) => readResource(object) ?? []))
  const { findings } = analyze(new World(resources), { analyzers: ANALYZERS })
  expect(findings).toEqual([])
  expect(performance.now() - began).toBeLessThan(2_000)
})
