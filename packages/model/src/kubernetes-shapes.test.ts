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
  [object('v1', 'Service', { spec: { ports: 7 } }), 'spec.ports is 7; it must be a list'],
  [object('v1', 'Service', { spec: { clusterIPs: ['10.0.0.1', 7] } }), 'spec.clusterIPs[1] is 7; it must be a text'],
  [object('v1', 'Service', { spec: { selector: { app: ['cart'] } } }), 'spec.selector.app is a list; it must be a text'],
  [object('discovery.k8s.io/v1', 'EndpointSlice', { endpoints: [null] }), 'endpoints[0] is null; it must be an object'],
  [object('gateway.networking.k8s.io/v1', 'HTTPRoute', { spec: { rules: {} } }), 'spec.rules is an object; it must be a list'],
])('what is not as it is read is said: %#', (odd, message) => {
  expect(misshapen(odd)).toBe(message)
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
