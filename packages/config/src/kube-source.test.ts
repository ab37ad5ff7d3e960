import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabelSelector } from '@lateen/api'
import { crds, type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { type ApiServer, startApiServer } from '@lateen/apiserver'
import { setLogSink } from '@lateen/base'
import type { KubeClient } from '@lateen/kube'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ConfigChange } from './change.ts'
import { type KubeSource, kubeSource } from './kube-source.ts'

const { Namespace, Node, Service, VirtualService } = RESOURCE_TYPES
let directory = ''
let server: ApiServer
let client: KubeClient

beforeAll(async () => {
  setLogSink(() => undefined)
  directory = mkdtempSync(join(tmpdir(), 'kube-source-'))
  server = await startApiServer({
    dataDir: directory,
    listen: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: [],
    crds: crds(),
    resolveService: () => Promise.reject(new Error('no Services are reachable in this test')),
  })
  client = server.localClient()
  for (const name of ['istio-system', 'shop', 'bank']) {
    await client.create(Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, ...(name === 'shop' ? { labels: { mesh: 'in' } } : {}) },
    })
  }
  for (const namespace of ['shop', 'bank']) await client.create(Service, service('cart', namespace))
}, 60_000)
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

const service = (name: string, namespace: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { ports: [{ name: 'http', port: 80 }] },
})

/** A source whose batches are kept; `until` waits for one that fits. */
function start(discoverySelectors: readonly LabelSelector[] = []) {
  const told: string[] = []
  let wake: () => void = () => undefined
  const source: KubeSource = kubeSource({ client, rootNamespace: 'istio-system', discoverySelectors })
  source.start((changes: readonly ConfigChange[]) => {
    told.push(
      ...changes.map(({ operation, object }) => `${operation} ${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`),
    )
    wake()
  })
  const until = async (line: string) => {
    while (!told.includes(line)) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { source, told, until }
}

test('everything that is there is told, and then what changes', async () => {
  const { source, told, until } = start()
  await source.synced
  expect(told).toContain('set Service shop/cart')
  expect(source.status().find(({ name }) => name === 'gateway.networking.k8s.io/Gateway')?.state).toBe('unavailable')
  await client.create(VirtualService, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: { hosts: ['cart'], http: [{ route: [{ destination: { host: 'cart' } }] }] },
  })
  await until('set VirtualService shop/cart')
  await client.delete(VirtualService, 'shop', 'cart')
  await until('delete VirtualService shop/cart')
  source.stop()
})

test('what the mesh does not read may change without being told', async () => {
  await client.create(Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } })
  const { source, told, until } = start()
  await source.synced
  const before = told.length
  await client.patch(
    Node,
    undefined,
    'n1',
    { status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:00:00Z' }] } },
    { subresource: 'status' },
  )
  await client.create(Service, service('last', 'shop'))
  await until('set Service shop/last')
  expect(told.slice(before)).toEqual(['set Service shop/last'])
  source.stop()
})

test('with discovery selectors only their namespaces are told, and objects come and go with labels and selectors', async () => {
  const selectors = [{ matchLabels: { mesh: 'in' } }]
  const { source, told, until } = start(selectors)
  await source.synced
  expect(told).toContain('set Service shop/cart')
  expect(told).not.toContain('set Service bank/cart')
  await client.patch(Namespace, undefined, 'bank', { metadata: { labels: { mesh: 'in' } } })
  await until('set Service bank/cart')
  source.select([{ matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['bank'] }] }])
  await until('delete Service shop/cart')
  source.stop()
})
