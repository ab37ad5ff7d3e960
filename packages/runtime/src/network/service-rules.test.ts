import { expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../kube/service.ts'
import { serviceRules } from './service-rules.ts'

const service = (name: string, spec: Service['spec']): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  ...(spec ? { spec } : {}),
})
const slice = (name: string, endpoints: EndpointSlice['endpoints']): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 9080, protocol: 'TCP' }],
  ...(endpoints ? { endpoints } : {}),
})
const rules = (services: Service[], slices: EndpointSlice[]) =>
  serviceRules({ family: 'IPv4', services, slices, serviceCidr: '10.96.0.0/12', dnsAddress: '10.96.0.10' }).split('\n')
const cart = service('cart', { clusterIP: '10.96.0.20', ports: [{ name: 'http', port: 80 }] })

test('spreads connections evenly over the ready endpoints', () => {
  const lines = rules(
    [cart],
    [
      slice(
        'cart',
        ['10.244.0.2', '10.244.0.3', '10.244.0.4'].map((address) => ({ addresses: [address] })),
      ),
    ],
  )
  expect(lines.flatMap((line) => /--probability (\S+)/.exec(line)?.[1] ?? [])).toEqual(['0.3333333333', '0.5000000000'])
  expect(lines.filter((line) => line.includes('-j DNAT')).map((line) => line.split(' ').at(-1))).toEqual([
    '10.244.0.2:9080',
    '10.244.0.3:9080',
    '10.244.0.4:9080',
  ])
})

test('refuses what has no endpoint, and leaves endpoints that are not ready alone', () => {
  const lines = rules([cart], [slice('cart', [{ addresses: ['10.244.0.2'], conditions: { ready: false, serving: false } }])])
  expect(lines).toContain('-A LATEEN-REJECT -d 10.96.0.20/32 -p tcp -m tcp --dport 80 -j REJECT')
  expect(lines.some((line) => line.includes('DNAT'))).toBe(false)
})

test('uses endpoints that are ending but still serve when there are no others', () => {
  const ending = { addresses: ['10.244.0.2'], conditions: { ready: false, serving: true, terminating: true } }
  expect(rules([cart], [slice('cart', [ending])]).some((line) => line.endsWith('--to-destination 10.244.0.2:9080'))).toBe(true)
  const both = rules([cart], [slice('cart', [ending, { addresses: ['10.244.0.3'] }])])
  expect(both.some((line) => line.includes('10.244.0.2'))).toBe(false)
})

test('makes no rules for headless and external services, nor for what is no address', () => {
  const odd = [
    service('headless', { clusterIP: 'None', ports: [{ port: 80 }] }),
    service('away', { type: 'ExternalName', externalName: 'example.com', ports: [{ port: 80 }] }),
    service('forged', { clusterIP: '10.96.0.1 -j ACCEPT', ports: [{ port: 80 }] }),
  ]
  const forged = slice('cart', [{ addresses: ['10.244.0.2 -j ACCEPT\n-A INPUT'] }])
  const text = rules([...odd, cart], [forged]).join('\n')
  expect(text).not.toContain('ACCEPT -')
  expect(text).not.toContain('example.com')
  expect(text).not.toContain('-j ACCEPT')
})

test('remembers the client where session affinity is asked for', () => {
  const sticky = service('cart', {
    clusterIP: '10.96.0.20',
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    ports: [{ name: 'http', port: 80 }],
  })
  const lines = rules([sticky], [slice('cart', [{ addresses: ['10.244.0.2'] }, { addresses: ['10.244.0.3'] }])])
  expect(lines.filter((line) => line.includes('--rcheck --seconds 60'))).toHaveLength(2)
  expect(lines.filter((line) => line.includes('--set'))).toHaveLength(2)
})

test('gives the same text for the same input in another order', () => {
  const other = service('other', { clusterIP: '10.96.0.21', type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30_001 }] })
  const slices = [
    slice('cart', [{ addresses: ['10.244.0.2'] }, { addresses: ['10.244.0.3'] }]),
    slice('other', [{ addresses: ['10.244.0.4'] }]),
  ]
  expect(rules([other, cart], [...slices].reverse())).toEqual(rules([cart, other], slices))
})

test('each family of a dual-stack cluster has its own services, endpoints and nothing of the other', () => {
  const both = service('cart', {
    clusterIP: '10.96.0.20',
    clusterIPs: ['10.96.0.20', 'fd00:10:96::a60:14'],
    ports: [{ name: 'http', port: 80 }],
  })
  const six: EndpointSlice = { ...slice('cart', [{ addresses: ['fd00:10:244::af4:2'] }]), addressType: 'IPv6' }
  const slices = [slice('cart', [{ addresses: ['10.244.0.2'] }]), six]
  const text = serviceRules({ family: 'IPv6', services: [both], slices, serviceCidr: 'fd00:10:96::/96' })
  expect(text).toContain('-d fd00:10:96::a60:14/128 -p tcp -m tcp --dport 80')
  expect(text).toContain('-j DNAT --to-destination [fd00:10:244::af4:2]:9080')
  expect(text).not.toMatch(/10\.(96|244)\./)
  expect(rules([both], slices).join('\n')).not.toContain('fd00')
})
