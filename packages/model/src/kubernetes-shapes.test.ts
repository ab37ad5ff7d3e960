import type { KubeObject } from '@lateen/api'
import { expect, test } from 'vitest'
import { misshapen } from './kubernetes-shapes.ts'

const object = (apiVersion: string, kind: string, rest: Readonly<Record<string, unknown>>): KubeObject => ({
  apiVersion,
  kind,
  metadata: { namespace: 'shop', name: 'odd' },
  ...rest,
})

test.each([
  [object('v1', 'Service', { spec: { ports: 7 } }), { path: 'spec.ports', found: '7', wanted: 'a list' }],
  [object('v1', 'Service', { spec: { clusterIPs: ['10.0.0.1', 7] } }), { path: 'spec.clusterIPs[1]', found: '7', wanted: 'a text' }],
  [object('v1', 'Service', { spec: { selector: { app: ['cart'] } } }), { path: 'spec.selector.app', found: 'a list', wanted: 'a text' }],
  [object('discovery.k8s.io/v1', 'EndpointSlice', { endpoints: [null] }), { path: 'endpoints[0]', found: 'null', wanted: 'an object' }],
  [
    object('gateway.networking.k8s.io/v1', 'HTTPRoute', { spec: { rules: {} } }),
    { path: 'spec.rules', found: 'an object', wanted: 'a list' },
  ],
])('what is not as it is read is said: %#', (odd, misfit) => {
  expect(misshapen(odd)).toEqual(misfit)
})

test.each([
  object('v1', 'Service', { spec: { ports: [{ name: 'http', port: 80, targetPort: 'web' }], clusterIP: 'None', unknown: 7 } }),
  object('v1', 'Service', {}),
  object('v1', 'Pod', { spec: { containers: [{ ports: null }] }, status: null }),
  object('gateway.networking.k8s.io/v1', 'GRPCRoute', { spec: { rules: [{ matches: [{ method: { service: 'shop.Cart' } }] }] } }),
  object('networking.istio.io/v1', 'VirtualService', { spec: 7 }),
])('what is as it is read, and what is checked elsewhere, is left alone: %#', (usual) => {
  expect(misshapen(usual)).toBeUndefined()
})
