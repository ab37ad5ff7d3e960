/** Arbitrary valid objects for property tests. */
import type { KubeObject } from '@lateen/api'
import { newMesh } from '@lateen/testkit'
import fc from 'fast-check'
import type { ConfigChange, MeshState } from '../index.ts'

const NAMESPACES = ['shop', 'pay']
const NAMES = ['cart', 'till']

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const namespace = pick(...NAMESPACES)
const name = pick(...NAMES)
const host = pick('cart', 'till', 'cart.shop.svc.cluster.local', 'till.pay.svc.cluster.local', 'api.example.com', '*.example.com')
const exportTo = pick<readonly string[]>([], ['*'], ['.'], ['shop'], ['shop', 'pay'])

const object = (apiVersion: string, kind: string, at: { readonly namespace: string; readonly name: string }, rest: Readonly<Record<string, unknown>>): KubeObject => ({
  apiVersion,
  kind,
  metadata: { ...at, labels: { app: at.name } },
  ...rest,
})

const service = fc
  .record({ namespace, name, port: pick(80, 9090), protocol: pick('http', 'tcp', 'grpc', 'db'), headless: fc.boolean() })
  .map((v) =>
    object('v1', 'Service', v, {
      spec: { clusterIP: v.headless ? 'None' : `10.96.0.${NAMES.indexOf(v.name) * 2 + NAMESPACES.indexOf(v.namespace) + 1}`, selector: { app: v.name }, ports: [{ name: v.protocol, port: v.port, targetPort: 8080 }] },
    }),
  )

const pod = fc.record({ namespace, name, version: pick('v1', 'v2'), mesh: fc.boolean(), account: pick('default', 'robot') }).map((v): KubeObject => {
  const ip = `10.0.${NAMESPACES.indexOf(v.namespace)}.${NAMES.indexOf(v.name) + 1}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: v.namespace, name: v.name, labels: { app: v.name, version: v.version, ...(v.mesh && { 'security.istio.io/tlsMode': 'istio' }) } },
    spec: { serviceAccountName: v.account, nodeName: 'node' },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  }
})

const slice = fc.record({ namespace, name, port: pick('http', 'tcp', 'grpc', 'db'), ready: fc.boolean() }).map((v): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: v.namespace, name: `${v.name}-1`, labels: { 'kubernetes.io/service-name': v.name } },
  addressType: 'IPv4',
  ports: [{ name: v.port, port: 8080 }],
  endpoints: [{ addresses: [`10.0.${NAMESPACES.indexOf(v.namespace)}.${NAMES.indexOf(v.name) + 1}`], conditions: { ready: v.ready }, targetRef: { kind: 'Pod', namespace: v.namespace, name: v.name } }],
}))

const virtualService = fc
  .record({ namespace, name, hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }), to: host, subset: pick('', 'v1'), exportTo, bound: pick('mesh', 'shop/door'), from: pick('', 'cart'), header: fc.boolean() })
  .map((v) =>
    object('networking.istio.io/v1', 'VirtualService', v, {
      spec: {
        hosts: v.hosts,
        gateways: [v.bound],
        exportTo: v.exportTo,
        http: [
          {
            ...((v.header || v.from) && { match: [{ ...(v.header && { headers: { 'x-test': { exact: 'yes' } } }), ...(v.from && { sourceLabels: { app: v.from } }) }] }),
            route: [{ destination: { host: v.to.replace('*.', ''), ...(v.subset && { subset: v.subset }) } }],
          },
        ],
      },
    }),
  )

const destinationRule = fc
  .record({ namespace, name, host, exportTo, balance: pick('ROUND_ROBIN', 'RANDOM'), subsets: fc.boolean(), tls: pick('', 'DISABLE', 'ISTIO_MUTUAL'), selects: pick('', 'cart') })
  .map((v) =>
    object('networking.istio.io/v1', 'DestinationRule', v, {
      spec: {
        host: v.host,
        exportTo: v.exportTo,
        ...(v.selects && { workloadSelector: { matchLabels: { app: v.selects } } }),
        trafficPolicy: { loadBalancer: { simple: v.balance }, ...(v.tls && { tls: { mode: v.tls } }) },
        ...(v.subsets && { subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
      },
    }),
  )

const serviceEntry = fc
  .record({ namespace, name, host: pick('api.example.com', 'cart.shop.svc.cluster.local', 'db.example.com'), exportTo, resolution: pick('NONE', 'STATIC', 'DNS'), protocol: pick('HTTP', 'TLS', 'TCP') })
  .map((v) =>
    object('networking.istio.io/v1', 'ServiceEntry', v, {
      spec: {
        hosts: [v.host],
        exportTo: v.exportTo,
        resolution: v.resolution,
        ports: [{ number: 80, name: v.protocol.toLowerCase(), protocol: v.protocol }],
        ...(v.resolution === 'STATIC' && { endpoints: [{ address: '192.0.2.1' }] }),
      },
    }),
  )

const peerAuthentication = fc
  .record({ namespace: pick(...NAMESPACES, 'istio-system'), name, mode: pick('STRICT', 'PERMISSIVE', 'DISABLE'), selects: pick('', 'cart') })
  .map((v) => object('security.istio.io/v1', 'PeerAuthentication', v, { spec: { mtls: { mode: v.mode }, ...(v.selects && { selector: { matchLabels: { app: v.selects } } }) } }))

const gateway = fc
  .record({ port: pick(80, 8080), host: pick('*', 'api.example.com', 'shop/*') })
  .map((v) => object('networking.istio.io/v1', 'Gateway', { namespace: 'shop', name: 'door' }, { spec: { selector: { istio: 'gate' }, servers: [{ port: { number: v.port, name: 'http', protocol: 'HTTP' }, hosts: [v.host] }] } }))

const sidecar = fc
  .record({ namespace, imports: fc.uniqueArray(pick('./*', 'pay/*', '*/cart.shop.svc.cluster.local'), { minLength: 1 }) })
  .map((v) => object('networking.istio.io/v1', 'Sidecar', { namespace: v.namespace, name: 'default' }, { spec: { egress: [{ hosts: v.imports }] } }))

/** Any one object, mostly about the same few hosts, so that objects concern each other. */
export const anyObject = fc.oneof(service, pod, slice, virtualService, destinationRule, serviceEntry, peerAuthentication, gateway, sidecar)
/** Setting or deleting one of them. */
export const change: fc.Arbitrary<ConfigChange> = fc.record({ operation: fc.oneof({ weight: 4, arbitrary: fc.constant('set' as const) }, { weight: 1, arbitrary: fc.constant('delete' as const) }), object: anyObject })

/** One proxy of each kind that sees things differently. */
export const PROXIES = [
  { namespace: 'shop', name: 'cart', ip: '10.0.0.1', labels: { app: 'cart' }, metadata: { DNS_CAPTURE: 'true' } },
  { namespace: 'pay', name: 'till', ip: '10.0.1.2', labels: { app: 'till' } },
  { namespace: 'other', name: 'guest', ip: '10.0.9.9', labels: {}, wholeRoutes: true },
  { type: 'router' as const, namespace: 'shop', name: 'gate', ip: '10.0.9.1', labels: { istio: 'gate' } },
]

export const keyOf = (o: KubeObject) => `${o.kind}/${o.metadata.namespace ?? ''}/${o.metadata.name}`

/** A new mesh with these objects. */
export function meshWith(objects: Iterable<KubeObject>): MeshState {
  const mesh = newMesh()
  mesh.apply([...objects].map((o) => ({ operation: 'set', object: o })))
  return mesh
}
