import { expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../kube/service.ts'
import { lookUp, type RecordSource } from './records.ts'

const meta = (name: string) => ({ name, namespace: 'shop' })
const service = (name: string, spec: NonNullable<Service['spec']>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(name),
  spec,
})
const slice = (name: string, addressType: string, address: string): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { ...meta(`${name}-${addressType}`), labels: { 'kubernetes.io/service-name': name } },
  addressType,
  endpoints: [{ addresses: [address] }],
  ports: [{ name: 'http', port: 8080 }],
})
const SERVICES = [
  service('web', { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20', 'fd00:10:96::a60:14'], ports: [{ name: 'http', port: 80 }] }),
  service('six', { clusterIP: 'fd00:10:96::a60:15', clusterIPs: ['fd00:10:96::a60:15'] }),
  service('peers', { clusterIP: 'None' }),
  service('away', { type: 'ExternalName', externalName: 'example.org' }),
]
const SLICES = [slice('peers', 'IPv4', '10.244.0.7'), slice('peers', 'IPv6', 'fd00:10:244::af4:7')]

/** What the stores offer to the records. */
const source = {
  services: {
    get: (namespace: string, name: string) => (namespace === 'shop' ? SERVICES.find(({ metadata }) => metadata.name === name) : undefined),
    all: () => SERVICES,
  },
  slices: { inNamespace: () => SLICES, all: () => SLICES },
  namespaceExists: (name: string) => name === 'shop',
  domain: 'cluster.local',
} as unknown as RecordSource

const answers = (name: string, type: string) => {
  const result = lookUp(name, type, source)
  return result.kind === 'found' ? result.answers.map((answer) => ('data' in answer ? answer.data : undefined)) : result.kind
}

test.each([
  ['web.shop.svc.cluster.local', 'A', ['10.96.0.20']],
  ['web.shop.svc.cluster.local', 'AAAA', ['fd00:10:96::a60:14']],
  ['WEB.shop.svc.cluster.local', 'ANY', ['10.96.0.20', 'fd00:10:96::a60:14']],
  ['six.shop.svc.cluster.local', 'A', []],
  ['six.shop.svc.cluster.local', 'AAAA', ['fd00:10:96::a60:15']],
  ['peers.shop.svc.cluster.local', 'A', ['10.244.0.7']],
  ['peers.shop.svc.cluster.local', 'AAAA', ['fd00:10:244::af4:7']],
  ['10-244-0-7.shop.pod.cluster.local', 'A', ['10.244.0.7']],
  ['fd00-10-244--af4-7.shop.pod.cluster.local', 'AAAA', ['fd00:10:244::af4:7']],
  ['no-address.shop.pod.cluster.local', 'A', 'missing'],
  ['20.0.96.10.in-addr.arpa', 'PTR', ['web.shop.svc.cluster.local']],
  ['4.1.0.0.0.6.a.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa', 'PTR', ['web.shop.svc.cluster.local']],
  ['7.0.0.0.4.f.a.0.0.0.0.0.0.0.0.0.0.0.0.0.4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa', 'PTR', ['fd00-10-244--af4-7.peers.shop.svc.cluster.local']],
  ['nobody.shop.svc.cluster.local', 'A', 'missing'],
  ['web.nowhere.svc.cluster.local', 'A', 'missing'],
  ['away.shop.svc.cluster.local', 'A', 'alias'],
  ['example.org', 'A', 'foreign'],
])('%s %s', (name, type, expected) => {
  expect(answers(name, type)).toEqual(expected)
})
