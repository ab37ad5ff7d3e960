import { describe, expect, test } from 'vitest'
import { readZtunnelDump } from './dump.ts'
import {
  certificateTable,
  connectionsOf,
  connectionTable,
  policiesOf,
  policyTable,
  servicesOf,
  serviceTable,
  workloadsOf,
  workloadTable,
} from './tables.ts'

const workload = (name: string, ip: string, more = {}) => ({
  workloadIps: [ip],
  uid: `Kubernetes//Pod/shop/${name}`,
  name,
  namespace: 'shop',
  node: 'one',
  protocol: 'HBONE',
  status: 'Healthy',
  ...more,
})

const dump = readZtunnelDump(
  JSON.stringify({
    workloads: [
      workload('web', '10.1.0.1', {
        waypoint: { destination: { hostname: 'gate.shop.svc.cluster.local', namespace: 'shop' }, port: 15008 },
      }),
      workload('cart', '10.1.0.2', { status: 'Unhealthy', node: 'two', waypoint: { destination: 'main/10.9.0.7', port: 15008 } }),
    ],
    services: {
      'main/10.9.0.7': { name: 'gate', namespace: 'shop', hostname: 'gate.shop.svc.cluster.local', vips: ['main/10.9.0.7'], endpoints: {} },
      'main/10.9.0.1': {
        name: 'web',
        namespace: 'shop',
        hostname: 'web.shop.svc.cluster.local',
        vips: ['main/10.9.0.1', 'main/fd00::1'],
        endpoints: { a: { workloadUid: 'Kubernetes//Pod/shop/web' }, b: { workloadUid: 'Kubernetes//Pod/shop/cart' } },
      },
    },
    policies: [{ namespace: 'shop', name: 'only-get', action: 'Allow', scope: 'Namespace', rules: [] }],
    certificates: [
      {
        identity: 'spiffe://cluster.local/ns/shop/sa/web',
        state: 'Available',
        certChain: [
          { serialNumber: '255', validFrom: '2030-01-01T00:00:00Z', expirationTime: '2030-01-02T00:00:00Z' },
          { serialNumber: '16', validFrom: '2020-01-01T00:00:00Z', expirationTime: '2040-01-01T00:00:00Z' },
        ],
      },
      { identity: 'spiffe://cluster.local/ns/shop/sa/cart', state: { Unavailable: 'no answer' }, certChain: [] },
    ],
    workloadState: {
      a: {
        info: { name: 'web', namespace: 'shop' },
        connections: {
          inbound: [{ src: '10.1.0.2:5000', originalDst: null, actualDst: '10.1.0.1:80', protocol: 'HBONE' }],
          outbound: [{ src: '10.1.0.1:4000', originalDst: '10.9.0.1:80', actualDst: '10.1.0.2:15008', protocol: 'HBONE' }],
        },
      },
    },
  }),
  'dump.json',
)

describe('a dump of ztunnel as tables', () => {
  test('workloads have their waypoint by name, by host or by address', () => {
    const { rows } = workloadTable(dump, workloadsOf(dump, {}))
    expect(rows).toEqual([
      ['shop', 'cart', '10.1.0.2', 'two', 'gate', 'HBONE'],
      ['shop', 'web', '10.1.0.1', 'one', 'gate', 'HBONE'],
    ])
    expect(workloadsOf(dump, { node: 'two' })).toHaveLength(1)
    expect(workloadsOf(dump, { address: '10.1.0.1', namespace: 'shop' })).toHaveLength(1)
    expect(workloadsOf(dump, { namespace: 'other' })).toEqual([])
  })

  test('services count endpoints that are healthy', () => {
    const { rows } = serviceTable(dump, servicesOf(dump))
    expect(rows).toContainEqual(['shop', 'web', '10.9.0.1,fd00::1', 'None', '1/2'])
  })

  test('policies have their scope', () => {
    expect(policyTable(policiesOf(dump, 'shop')).rows).toEqual([['shop', 'only-get', 'Allow', 'Namespace']])
  })

  test('certificates are valid in their time, and serial numbers hexadecimal', () => {
    const at = (time: string) => certificateTable(dump.certificates, new Date(time)).rows
    expect(at('2030-01-01T12:00:00Z')).toEqual([
      ['spiffe://cluster.local/ns/shop/sa/web', 'Leaf', 'Available', 'true', 'ff', '2030-01-02T00:00:00Z', '2030-01-01T00:00:00Z'],
      ['spiffe://cluster.local/ns/shop/sa/web', 'Root', 'Available', 'true', '10', '2040-01-01T00:00:00Z', '2020-01-01T00:00:00Z'],
      ['spiffe://cluster.local/ns/shop/sa/cart', 'NA', 'Unavailable', 'false', 'NA', 'NA', 'NA'],
    ])
    expect(at('2035-01-01T00:00:00Z').map((row) => row[3])).toEqual(['false', 'true', 'false'])
  })

  test('connections have names where they are known, or addresses', () => {
    const found = connectionsOf(dump, 'shop')
    expect(connectionTable(dump, found, {}).rows).toEqual([
      ['web.shop', 'Inbound', 'web.shop:80', 'cart.shop:5000', '', 'HBONE'],
      ['web.shop', 'Outbound', 'web.shop:4000', 'cart.shop:15008', 'web.shop.svc.cluster.local:80', 'HBONE'],
    ])
    expect(connectionTable(dump, found, { raw: true, direction: 'inbound' }).rows).toEqual([
      ['web.shop', 'Inbound', '10.1.0.1:80', '10.1.0.2:5000', '', 'HBONE'],
    ])
  })
})

test.each([
  ['no JSON', 'x'],
  ['a list', '[]'],
])('%s is said to be no dump', (_what, text) => {
  expect(() => readZtunnelDump(text, 'dump.json')).toThrow(/^dump\.json is no config dump of ztunnel/)
})
