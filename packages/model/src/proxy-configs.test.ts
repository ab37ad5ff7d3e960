import type { KubeObject, ProxyConfigSpec } from '@lateen/api'
import { Graph } from '@lateen/graph'
import { describe, expect, test } from 'vitest'
import { createInputs } from './inputs.ts'
import { proxyConfigFor } from './proxy-configs.ts'

const proxyConfig = (namespace: string, name: string, spec: ProxyConfigSpec, creationTimestamp = '2026-01-01T00:00:00Z'): KubeObject => ({
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'ProxyConfig',
  metadata: { namespace, name, creationTimestamp },
  spec,
})

function ask(objects: readonly KubeObject[], namespace = 'shop', labels: Readonly<Record<string, string>> = { app: 'cart' }) {
  const graph = new Graph()
  const source = createInputs(graph).kinds['networking.istio.io/ProxyConfig']
  graph.batch(() => {
    for (const object of objects) source.set(`${object.metadata.namespace}/${object.metadata.name}`, object)
  })
  return proxyConfigFor(source, { namespace, labels, rootNamespace: 'istio-system' })
}

const MESH = proxyConfig('istio-system', 'mesh', { concurrency: 1, environmentVariables: { A: 'mesh', B: 'mesh' } })
const NAMESPACE = proxyConfig('shop', 'shop', { environmentVariables: { A: 'shop' }, image: { imageType: 'debug' } })
const WORKLOAD = proxyConfig('shop', 'cart', {
  selector: { matchLabels: { app: 'cart' } },
  concurrency: 0,
  environmentVariables: { C: 'cart' },
})

describe('settings of a workload', () => {
  test('are those of the workload over those of its namespace over those of the mesh; variables join', () => {
    expect(ask([WORKLOAD, NAMESPACE, MESH])).toEqual({
      concurrency: 0,
      proxyMetadata: { A: 'shop', B: 'mesh', C: 'cart' },
      image: { imageType: 'debug' },
    })
  })

  test('leave out what is for other workloads and other namespaces', () => {
    expect(ask([WORKLOAD, NAMESPACE, MESH], 'pay')).toEqual({ concurrency: 1, proxyMetadata: { A: 'mesh', B: 'mesh' } })
    expect(ask([WORKLOAD], 'shop', { app: 'till' })).toEqual({})
  })

  test('of two for the same the oldest counts', () => {
    const younger = proxyConfig('shop', 'a', { concurrency: 9 }, '2026-02-01T00:00:00Z')
    expect(ask([younger, proxyConfig('shop', 'b', { concurrency: 3 })])).toEqual({ concurrency: 3 })
  })
})
