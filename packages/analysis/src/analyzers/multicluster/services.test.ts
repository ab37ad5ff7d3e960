import { expect, test } from 'vitest'
import { analyze } from '../../analyze.ts'
import { readResource } from '../../resource.ts'
import { World } from '../../world.ts'
import { multiclusterServices } from './services.ts'

const service = (cluster: string, spec: object) =>
  readResource({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'cart', namespace: 'shop' }, spec }, { origin: { cluster } }) ?? []

test('services that differ between clusters are named with the differences', () => {
  const ports = [{ name: 'http', port: 80 }]
  const world = new World(
    [service('east', { ports }), service('west', { ports, clusterIP: 'None' }), service('north', { ports: [] })].flat(),
  )
  const { findings } = analyze(world, { analyzers: [multiclusterServices] })
  expect(findings.map(({ code, text }) => `${code} ${text}`)).toEqual([
    'IST0170 The service cart in namespace "shop" differs between the clusters [east north west]: headless in one cluster and not in another; the ports differ. Make them equal.',
  ])
})

test('equal services are fine, whatever the order of their ports', () => {
  const [a, b] = [
    { name: 'a', port: 1 },
    { name: 'b', port: 2 },
  ]
  const world = new World([service('east', { ports: [a, b] }), service('west', { ports: [b, a] })].flat())
  expect(analyze(world, { analyzers: [multiclusterServices] }).findings).toEqual([])
})
