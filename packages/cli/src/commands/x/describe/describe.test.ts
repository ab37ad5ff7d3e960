/** The lines of `x describe`, from objects and dumps. */
import type { Pod, Service } from '@lateen/api'
import { describe, expect, test } from 'vitest'
import { dumpOf, madeFrom } from '../../../../testdata/dumps.ts'
import { startFakeApi } from '../../../../testdata/fake-api.ts'
import { namingIn } from './describe.ts'
import { acceptedTls, mutualTlsLines } from './mutual-tls.ts'
import { podLines, proxyReady, serviceLines } from './pod-text.ts'
import { destinationRuleOf, virtualServicesOf } from './port-rules.ts'
import { type DestinationRule, destinationRuleLines, NO_SUBSETS, subsetsOf, type VirtualService, virtualServiceLines } from './rule-text.ts'

const NAMING = namingIn('shop')
const HOST = 'reviews.shop.svc.cluster.local'
const V1 = { app: 'reviews', version: 'v1' }

const rule: DestinationRule = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'reviews', namespace: 'shop' },
  spec: {
    host: 'reviews',
    subsets: [
      { name: 'v1', labels: { version: 'v1' } },
      { name: 'v2', labels: { version: 'v2' } },
    ],
    trafficPolicy: {
      tls: { mode: 'ISTIO_MUTUAL' },
      loadBalancer: { simple: 'RANDOM' },
      outlierDetection: {},
      portLevelSettings: [{ port: { number: 9080 }, tls: { mode: 'DISABLE' }, connectionPool: {} }],
    },
  },
}

const virtualService = (spec: VirtualService['spec'], namespace = 'shop'): VirtualService => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'reviews', namespace },
  ...(spec && { spec }),
})

describe('a DestinationRule', () => {
  test('tells which of its subsets the pod is in, and its policies', () => {
    expect(destinationRuleLines(rule, [V1], NAMING)).toEqual([
      'DestinationRule: reviews for "reviews"',
      '   Matching subsets: v1',
      '      (Non-matching subsets v2)',
      '   Traffic Policy TLS Mode: ISTIO_MUTUAL',
      '   Policies: load balancer/outlier detection',
      '   Port Level Settings:',
      '    9080:',
      '      TLS Mode: DISABLE',
      '      Policies: connection pool',
    ])
  })

  test('warns of a pod that is in none', () => {
    expect(destinationRuleLines(rule, [{ app: 'reviews' }], NAMING)).toContain(
      '   WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets v1,v2)',
    )
  })
})

describe('a VirtualService', () => {
  const destination = { host: HOST, rule, subsets: subsetsOf(rule, [V1]) }
  const to = (subset: string, weight?: number) => ({ destination: { host: 'reviews', subset }, ...(weight !== undefined && { weight }) })

  test('tells the share of the pod, under which conditions, and how many routes go elsewhere', () => {
    const service = virtualService({
      http: [
        {
          match: [{ uri: { prefix: '/beta' }, headers: { user: { exact: 'jason' } } }],
          route: [to('v1', 100)],
          fault: { abort: { httpStatus: 500, percentage: { value: 5 } } },
        },
        { route: [to('v2')] },
        { route: [to('v1', 80), { destination: { host: 'ratings.shop.svc.cluster.local' }, weight: 20 }] },
      ],
    })
    expect(virtualServiceLines(service, destination, NAMING)).toEqual([
      'VirtualService: reviews',
      '   Route to host "reviews" subset "v1" with weight 100%',
      '   Fault injection abort 500 for 5%, Match: /beta* when headers are user=jason',
      '   Route to host "reviews" subset "v1" with weight 80%',
      '   Route to host "ratings.shop.svc.cluster.local" with weight 20%',
      '   1 additional destination(s) that will not reach this pod',
    ])
  })

  test('that never reaches the pod says so, with the reason for each route', () => {
    const service = virtualService({ http: [{ match: [{ uri: { exact: '/a' } }], route: [to('v2')] }, { route: [to('v9')] }] })
    expect(virtualServiceLines(service, destination, NAMING)).toEqual([
      'VirtualService: reviews',
      '   WARNING: No destinations match pod subsets (checked 2 HTTP routes)',
      '      Route to non-matching subset v2 for (Match: /a)',
      '      Warning: Route to UNKNOWN subset v9; check DestinationRule reviews',
    ])
    const without = { host: HOST, rule: undefined, subsets: NO_SUBSETS }
    expect(virtualServiceLines(service, without, NAMING).at(-1)).toContain('but NO DESTINATION RULE defining subsets!')
  })

  test('without weights counts its routes; TCP routes count as well', () => {
    const plain = { destination: { host: HOST } }
    expect(virtualServiceLines(virtualService({ http: [{ route: [plain] }] }, 'other'), destination, NAMING)).toEqual([
      'VirtualService: reviews.other',
      '   1 HTTP route(s)',
    ])
    const tcp = virtualService({ tcp: [{ match: [{ port: 9000 }], route: [plain] }] })
    expect(virtualServiceLines(tcp, destination, NAMING)).toEqual(['VirtualService: reviews', '   Match: {"port":9000}'])
  })
})

describe('a proxy', () => {
  const dump = dumpOf({
    clusters: [
      { name: `outbound|9080||${HOST}`, metadata: madeFrom('destination-rule', 'shop', 'reviews') },
      { name: `outbound|9081||${HOST}` },
      { name: 'outbound|9080||old-reviews.shop.svc.cluster.local', metadata: madeFrom('destination-rule', 'shop', 'old') },
    ],
    routes: [
      {
        name: '9080',
        virtual_hosts: [
          {
            domains: [HOST, 'reviews'],
            routes: [
              { metadata: madeFrom('virtual-service', 'shop', 'reviews') },
              { metadata: madeFrom('virtual-service', 'shop', 'reviews') },
            ],
          },
          { domains: ['ratings'], routes: [{ metadata: madeFrom('virtual-service', 'shop', 'ratings') }] },
        ],
      },
      {
        name: 'http.80',
        virtual_hosts: [
          {
            domains: ['*'],
            routes: [
              {
                metadata: madeFrom('virtual-service', 'shop', 'front'),
                route: { weighted_clusters: { clusters: [{ name: `outbound|9080|v1|${HOST}` }] } },
              },
            ],
          },
        ],
      },
    ],
  })

  test('names the rules of a port of a service, and of no other', () => {
    expect(destinationRuleOf(dump, { host: HOST, port: 9080 })).toBe('reviews.shop')
    expect(destinationRuleOf(dump, { host: HOST, port: 9081 })).toBeUndefined()
    expect(destinationRuleOf(dump, { host: HOST, port: 1 })).toBeUndefined()
    expect(virtualServicesOf(dump, { host: HOST, port: 9080 })).toEqual(['reviews.shop', 'front.shop'])
    expect(virtualServicesOf(dump, { host: 'details.shop.svc.cluster.local', port: 9080 })).toEqual([])
  })
})

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'reviews-1', namespace: 'shop', labels: V1, annotations: { 'istio.io/rev': 'default' } },
  spec: { containers: [{ name: 'reviews', ports: [{ name: 'web', containerPort: 9080 }] }, { name: 'istio-proxy' }] },
  status: Object.assign(
    { phase: 'Running' as const },
    {
      containerStatuses: [
        { name: 'istio-proxy', ready: true },
        { name: 'reviews', ready: false },
      ],
    },
  ),
}

describe('a pod', () => {
  const lines = (changed: Partial<Pod>) => podLines({ ...pod, ...changed }, NAMING.name, { quiet: false })

  test('is told with its ports and what is not ready', () => {
    expect(lines({})).toEqual([
      'Pod: reviews-1',
      '   Pod Revision: default',
      '   Pod Ports: 9080 (reviews)',
      'WARNING: Pod reviews-1 Container reviews NOT READY',
    ])
    expect(proxyReady(pod)).toBe(true)
  })

  test('outside of the mesh, or not running, is told as such', () => {
    const outside = { ...pod.spec, containers: [{ name: 'reviews', ports: [{ containerPort: 53, protocol: 'UDP' as const }] }] }
    expect(lines({ spec: outside })).toContain('WARNING: reviews-1 is not part of mesh; no Istio sidecar')
    expect(lines({ spec: outside })).toContain('   Pod Ports: 53/UDP (reviews)')
    expect(podLines({ ...pod, spec: outside }, NAMING.name, { quiet: true }).join()).not.toContain('not part of mesh')
    expect(lines({ status: { phase: 'Pending' } })).toContain('   Pod is not Running (Pending)')
  })

  test('without labels for telemetry gets a suggestion', () => {
    const text = lines({ metadata: { name: 'x', namespace: 'shop' } }).join('\n')
    expect(text).toContain("add 'app' label")
    expect(text).toContain("add 'version' label")
  })

  test("its services' ports are told with their protocol and where they lead", () => {
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'reviews', namespace: 'shop' },
      spec: {
        ports: [
          { name: 'http', port: 80, targetPort: 'web' },
          { port: 9000 },
          { name: 'grpc-x', port: 7000, targetPort: 'gone' },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
      },
    }
    expect(serviceLines(service, pod, NAMING.name)).toEqual([
      'Service: reviews',
      '   Port: http 80/HTTP targets pod port 9080',
      '   Port:  9000/auto-detect targets pod port 9000',
      '   Port: grpc-x 7000 targets "gone", which no container of pod reviews-1 has as the name of a port',
    ])
  })
})

test('what a pod accepts follows from all PeerAuthentications above it', () => {
  const policy = (namespace: string, name: string, spec: unknown) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name, namespace },
    spec,
  })
  const found = acceptedTls(
    [
      policy('shop', 'reviews', { selector: { matchLabels: { app: 'reviews' } }, portLevelMtls: { 9080: { mode: 'DISABLE' } } }),
      policy('shop', 'others', { selector: { matchLabels: { app: 'other' } }, mtls: { mode: 'DISABLE' } }),
      policy('mesh', 'default', { mtls: { mode: 'STRICT' } }),
    ],
    { namespace: 'shop', labels: V1 },
    'mesh',
  )
  expect(mutualTlsLines(found)).toEqual([
    'Effective PeerAuthentication:',
    '   Workload mTLS mode: STRICT',
    '   Port Level mTLS mode:',
    '      9080: DISABLE',
    'Applied PeerAuthentication:',
    '   default.mesh, reviews.shop',
  ])
})

describe('a pod whose proxy does not answer', () => {
  const namespaced = (kind: string, apiVersion: string, name: string, more: object) => ({
    apiVersion,
    kind,
    metadata: { name, namespace: 'shop' },
    ...more,
  })

  test('is described as far as can be, with a line about what is missing', async () => {
    const api = await startFakeApi()
    try {
      api.objects = [
        { ...pod, status: { phase: 'Running' } },
        namespaced('Service', 'v1', 'reviews', { spec: { selector: { app: 'reviews' }, ports: [{ name: 'http', port: 80 }] } }),
        namespaced('PeerAuthentication', 'security.istio.io/v1', 'strict', { spec: { mtls: { mode: 'STRICT' } } }),
      ]
      const { code, stdout } = await api.shell('x', 'describe', 'pod', 'reviews-1.shop')
      expect(code).toBe(0)
      expect(stdout).toMatch(/^Pod: reviews-1\.shop\n/)
      expect(stdout).toMatch(/\nWARNING: .*reviews-1/)
      expect(stdout).toContain('   Workload mTLS mode: STRICT\n')
      expect(stdout).toContain('Skipping Gateway information (no ingress gateway pods)\n')
    } finally {
      await api.close()
    }
  })
})
