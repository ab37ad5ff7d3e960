import type { KubeObject } from '@lateen/api'
import { openProxy, resourcesOf, SHOWN_TYPES } from '@lateen/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { meshWith } from './testdata/random-mesh.ts'
import { anyObject, keyOf, PROXIES } from './testdata/random-objects.ts'

/** Objects that say nothing usable, for the hosts and workloads that all others are about. */
const MISCONFIGURED: readonly KubeObject[] = [
  {
    kind: 'VirtualService',
    spec: { hosts: ['cart'], http: [{ match: [{ uri: { regex: '(' } }], route: [{ destination: { host: 'till' } }] }] },
  },
  { kind: 'VirtualService', spec: { hosts: ['cart'], http: [{ route: [{ destination: { host: 'cart' }, weight: -3 }] }] } },
  { kind: 'VirtualService', spec: { hosts: 'cart', http: 7 } },
  { kind: 'DestinationRule', spec: { host: 'cart', trafficPolicy: { loadBalancer: { simple: 'LUCK' } } } },
  { kind: 'Sidecar', spec: { egress: [{ hosts: ['no slash or what?'] }] } },
  { kind: 'ServiceEntry', spec: { hosts: ['api.example.com'], ports: [{ number: 99999, name: 'x' }] } },
  {
    kind: 'Gateway',
    spec: { selector: { istio: 'gate' }, servers: [{ port: { number: 80, name: 'x', protocol: 'NONSENSE' }, hosts: ['*'] }] },
  },
  { kind: 'ProxyConfig', spec: { concurrency: 'many' } },
].map(({ kind, spec }, i) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { namespace: 'shop', name: `broken-${i}`, creationTimestamp: '2020-01-01T00:00:00Z' },
  spec,
}))

/** The same of kinds that others define, as a file may have them: their parts are of other types than they should be. */
const MISSHAPEN: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Service', spec: { clusterIP: 7, selector: { app: 'cart' }, ports: [{ port: 80 }] } },
  { apiVersion: 'v1', kind: 'Service', spec: { ports: 'http' } },
  { apiVersion: 'v1', kind: 'Pod', status: { phase: 'Running', podIPs: [{ ip: ['10.0.0.1'] }] } },
  { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', service: 'cart', ports: {}, endpoints: [{ addresses: ['10.0.0.1'] }] },
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', spec: { rules: { host: 'api.example.com' } } },
  { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', spec: { parentRefs: [{ name: 'portal' }], rules: 7 } },
  { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', spec: { gatewayClassName: 'istio', listeners: [80] } },
].map(({ service, ...rest }, i) => ({
  ...rest,
  metadata: { namespace: 'shop', name: `misshapen-${i}`, ...(service && { labels: { 'kubernetes.io/service-name': service } }) },
}))

const BROKEN = [...MISCONFIGURED, ...MISSHAPEN]

test('law: a broken object changes nothing of what any proxy gets, whatever else there is', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyObject, { selector: keyOf, maxLength: 12 }),
      fc.subarray([...BROKEN], { minLength: 1 }),
      (objects, broken) => {
        const [sound, odd] = [meshWith(objects), meshWith([...broken, ...objects])]
        for (const proxy of PROXIES) {
          const [before, after] = [openProxy(sound, proxy), openProxy(odd, proxy)]
          for (const typeUrl of Object.values(SHOWN_TYPES))
            expect([...resourcesOf(after.resources(typeUrl))]).toEqual([...resourcesOf(before.resources(typeUrl))])
        }
        expect(odd.diagnostics().length).toBeGreaterThanOrEqual(broken.length)
      },
    ),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 40) },
  )
}, 120_000)
