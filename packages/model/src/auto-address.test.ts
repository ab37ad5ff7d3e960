import type { KubeObject } from '@lateen/api'
import { Graph } from '@lateen/graph'
import { expect, test } from 'vitest'
import { plainSettings } from '../testdata/settings.ts'
import { applyChange, createInputs, createModel } from './index.ts'

const entry = (name: string, host: string, addresses: readonly string[] = [], created = '2026-01-01T00:00:00Z'): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name, namespace: 'shop', creationTimestamp: created },
  spec: { hosts: [host], resolution: 'DNS', ports: [{ number: 443, name: 'tls', protocol: 'TLS' }] },
  ...(addresses.length > 0 && { status: { addresses: addresses.map((value) => ({ host, value })) } }),
})

/** The addresses of each host. */
function addressesOf(...entries: KubeObject[]): Record<string, readonly string[]> {
  const graph = new Graph()
  const inputs = createInputs(graph)
  const { serviceEntries } = createModel(graph, inputs)
  graph.batch(() => {
    inputs.settings.set('', plainSettings('cluster.local'))
    for (const object of entries) applyChange(inputs, { operation: 'set', object })
  })
  const services = [...serviceEntries.keys()].flatMap((key) => serviceEntries.peek(key) ?? [])
  return Object.fromEntries(services.map(({ host, autoAddresses }) => [host, autoAddresses]))
}

test('what the status says is kept, and given to no other host', () => {
  const [first = ''] = addressesOf(entry('pay', 'pay.example'))['pay.example'] ?? []
  const written = entry('tax', 'tax.example', [first, '2001:2::1'])
  const found = addressesOf(written, entry('pay', 'pay.example'))
  expect(found['tax.example']).toEqual([first, '2001:2::1'])
  expect(found['pay.example']).toHaveLength(2)
  expect(found['pay.example']).not.toContain(first)
})

test('of two entries whose statuses have one address, the older keeps it', () => {
  const older = entry('tax', 'tax.example', ['240.240.9.9'], '2025-01-01T00:00:00Z')
  const found = addressesOf(older, entry('pay', 'pay.example', ['240.240.9.9']))
  expect(found['tax.example']).toEqual(['240.240.9.9'])
  expect(found['pay.example']).not.toContain('240.240.9.9')
})

test('several entries for one host in one namespace share its address', () => {
  const found = addressesOf(entry('one', 'pay.example', ['240.240.9.9']), entry('two', 'pay.example', ['240.240.9.9']))
  expect(found['pay.example']).toEqual(['240.240.9.9'])
})
