/** Arbitrary valid objects for property tests. */
import type { KubeObject } from '@lateen/api'
import fc from 'fast-check'
import type { ConfigChange } from '../index.ts'

const NAMESPACES = ['shop', 'pay']
const NAMES = ['cart', 'till']

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const namespace = pick(...NAMESPACES)
const name = pick(...NAMES)
const host = pick('cart', 'till', 'cart.shop.svc.cluster.local', 'till.pay.svc.cluster.local', 'api.example.com', '*.example.com')
/** Names that something else may be called by too. */
const contestedHost = pick('cart.shop', 'Till.pay.svc', 'cart.shop.svc.cluster.local.', '*.cart.shop.svc.cluster.local', '*.cart.shop', '*.shop.svc.cluster.local', 'API.example.com', 'api.example.com.', 'other.till.pay.svc.cluster.local')
const exportTo = pick<readonly string[]>([], ['*'], ['.'], ['shop'], ['shop', 'pay'])

const object = (apiVersion: string, kind: string, at: { readonly namespace: string; readonly name: string }, rest: Readonly<Record<string, unknown>>): KubeObject => ({
  apiVersion,
  kind,
  metadata: { ...at, labels: { app: at.name } },
  ...rest,
})

const service = fc
  .record({
    namespace,
    name,
    // The proxies' own ports come up too, if seldom.
    port: pick(80, 9090, 80, 9090, 80, 9090, 15001, 15006, 15090),
    protocol: pick('http', 'tcp', 'grpc', 'tls', 'db'),
    kind: pick('usual', 'headless', 'alias'),
    other: host,
    /** A second port, and addresses of both families. */
    second: pick('', 'http', 'mongo', 'any'),
    dual: fc.boolean(),
    distribution: pick('', 'PreferClose', 'PreferSameNode'),
    local: fc.boolean(),
    exportTo: pick('', '*', '.', 'shop'),
  })
  .map((v) => {
    const ip = `10.96.0.${NAMES.indexOf(v.name) * 2 + NAMESPACES.indexOf(v.namespace) + 1}`
    const ports = [
      { name: v.protocol, port: v.port, targetPort: v.port > 15000 ? v.port : 8080 },
      ...(v.second ? [{ name: v.second === v.protocol ? `${v.second}-2` : v.second, port: 9091, targetPort: 'second' }] : []),
    ]
    const made = object('v1', 'Service', v, {
      spec:
        v.kind === 'alias'
          ? { type: 'ExternalName', externalName: v.other.replace('*.', '') }
          : { clusterIP: v.kind === 'headless' ? 'None' : ip, selector: { app: v.name }, ports, ...(v.dual && v.kind === 'usual' && { clusterIPs: [ip, ip.replace('10.96.0.', 'fd00:96::')] }), ...(v.distribution && { trafficDistribution: v.distribution }), ...(v.local && { internalTrafficPolicy: 'Local' }) },
    })
    return v.exportTo ? { ...made, metadata: { ...made.metadata, annotations: { 'networking.istio.io/exportTo': v.exportTo } } } : made
  })

const pod = fc.record({ namespace, name, version: pick('v1', 'v2'), mesh: fc.boolean(), account: pick('default', 'robot'), node: pick('west', 'east') }).map((v): KubeObject => {
  const ip = `10.0.${NAMESPACES.indexOf(v.namespace)}.${NAMES.indexOf(v.name) + 1}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: v.namespace, name: v.name, labels: { app: v.name, version: v.version, ...(v.mesh && { 'security.istio.io/tlsMode': 'istio' }) } },
    spec: { serviceAccountName: v.account, nodeName: v.node },
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

const node = fc.record({ name: pick('west', 'east'), zone: pick('a', 'b') }).map(
  (v): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: v.name, labels: { 'topology.kubernetes.io/region': v.name, 'topology.kubernetes.io/zone': `${v.name}-${v.zone}` } } }),
)

/** Routes of bytes, in sidecars and at a gateway. */
const bytesService = fc
  .record({ namespace, name, host, to: host, exportTo, bound: pick('mesh', 'shop/door'), from: pick('', 'cart'), subnet: pick('', '10.96.0.0/24', '10.96.0.1'), tls: fc.boolean(), split: fc.boolean() })
  .map((v) => {
    const route = [{ destination: { host: v.to.replace('*.', '') }, weight: v.split ? 70 : 100 }, ...(v.split ? [{ destination: { host: 'till' }, weight: 30 }] : [])]
    const caller = v.from ? { sourceLabels: { app: v.from } } : {}
    const match = { ...caller, ...(v.subnet && { destinationSubnets: [v.subnet] }) }
    return object('networking.istio.io/v1', 'VirtualService', { namespace: v.namespace, name: `${v.name}-bytes` }, {
      spec: {
        hosts: [v.host],
        gateways: [v.bound],
        exportTo: v.exportTo,
        ...(v.tls ? { tls: [{ match: [{ ...caller, sniHosts: [v.host.includes('.') ? v.host : `${v.host}.${v.namespace}.svc.cluster.local`] }], route }] } : { tcp: [{ ...(Object.keys(match).length > 0 && { match: [match] }), route }] }),
      },
    })
  })

const virtualService = fc
  .record({ namespace, name, hosts: fc.uniqueArray(fc.oneof(host, contestedHost, pick('10.96.0.1')), { minLength: 1, maxLength: 2 }), to: host, subset: pick('', 'v1'), exportTo, bound: pick('mesh', 'shop/door'), from: pick('', 'cart'), header: fc.boolean() })
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

const nearness = (kind: string) => {
  if (kind === 'labels') return { localityLbSetting: { failoverPriority: ['version', 'topology.kubernetes.io/region'] } }
  if (kind === 'share') return { localityLbSetting: { distribute: [{ from: 'west/*', to: { 'west/*': 70, 'east/*': 30 } }] } }
  return {}
}

/** Further fields of a traffic policy, any of which may stand beside the others. */
const furtherPolicy = pick<Readonly<Record<string, unknown>>>(
  {},
  { proxyProtocol: { version: 'V2' } },
  { tunnel: { targetHost: 'api.example.com', targetPort: 443 } },
  { retryBudget: { percent: 10, minRetryConcurrency: 2 } },
  { loadBalancer: { consistentHash: { httpCookie: { name: 'c', ttl: '1s' }, maglev: { tableSize: 101 } } } },
  { loadBalancer: { simple: 'LEAST_REQUEST', warmup: { duration: '10s' } } },
  { loadBalancer: { simple: 'PASSTHROUGH' } },
  { tls: { mode: 'MUTUAL', credentialName: 'door' } },
  { tls: { mode: 'SIMPLE', credentialName: 'configmap://door', insecureSkipVerify: true } },
  { portLevelSettings: [{ port: { number: 80 }, outlierDetection: { splitExternalLocalOriginErrors: true, minHealthPercent: 20 } }] },
  { connectionPool: { tcp: { idleTimeout: '9s', tcpKeepalive: { time: '5s' } }, http: { maxRequestsPerConnection: 1, maxConcurrentStreams: 4 } } },
)

const destinationRule = fc
  .record({ namespace, name, host, exportTo, balance: pick('ROUND_ROBIN', 'RANDOM'), subsets: fc.boolean(), tls: pick('', 'DISABLE', 'ISTIO_MUTUAL', 'SIMPLE'), selects: pick('', 'cart'), near: pick('', 'failover', 'labels', 'share'), version: pick('', 'client', 'upgrade'), further: furtherPolicy })
  .map((v) =>
    object('networking.istio.io/v1', 'DestinationRule', v, {
      spec: {
        host: v.host,
        exportTo: v.selects ? ['.'] : v.exportTo,
        ...(v.selects && { workloadSelector: { matchLabels: { app: v.selects } } }),
        trafficPolicy: {
          loadBalancer: { simple: v.balance, ...nearness(v.near) },
          ...((v.near === 'failover' || v.near === 'labels') && { outlierDetection: { consecutive5xxErrors: 2 } }),
          ...(v.version && { connectionPool: { http: v.version === 'client' ? { useClientProtocol: true } : { h2UpgradePolicy: 'UPGRADE' } } }),
          ...(v.tls && { tls: { mode: v.tls } }),
          ...v.further,
        },
        ...(v.subsets && { subsets: [{ name: 'v1', labels: { version: 'v1' }, ...(Object.keys(v.further).length > 0 && { trafficPolicy: v.further }) }] }),
      },
    }),
  )

const serviceEntry = fc
  .record({
    namespace,
    name,
    host: fc.oneof(pick('api.example.com', 'cart.shop.svc.cluster.local', 'db.example.com', '*.example.com'), contestedHost, pick('cart', 'till')),
    exportTo,
    resolution: pick('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'),
    protocol: pick('HTTP', 'TLS', 'TCP', 'HTTP2', ''),
    port: pick(80, 443, 9090),
    address: pick('', '192.0.2.77', '192.0.2.0/24', '10.96.0.1'),
    inside: fc.boolean(),
    selects: pick('', 'cart'),
  })
  .map((v) =>
    object('networking.istio.io/v1', 'ServiceEntry', v, {
      spec: {
        hosts: [v.resolution === 'DYNAMIC_DNS' ? '*.example.com' : v.host.startsWith('*') && v.resolution !== 'NONE' ? v.host.replace('*', 'all') : v.host],
        exportTo: v.exportTo,
        resolution: v.resolution,
        location: v.inside ? 'MESH_INTERNAL' : 'MESH_EXTERNAL',
        ...(v.address && v.resolution !== 'DYNAMIC_DNS' && { addresses: [v.address] }),
        ports: [{ number: v.port, name: `${v.protocol.toLowerCase() || 'any'}`, ...(v.protocol && { protocol: v.protocol }) }],
        ...(v.selects && (v.resolution === 'STATIC' || v.resolution === 'DNS') && { workloadSelector: { labels: { app: v.selects } } }),
        ...(v.resolution === 'STATIC' && !v.selects && { endpoints: [{ address: '192.0.2.1', locality: 'west/a' }, { address: '192.0.2.2', locality: 'east/a' }] }),
      },
    }),
  )

const peerAuthentication = fc
  .record({ namespace: pick(...NAMESPACES, 'istio-system'), name, mode: pick('STRICT', 'PERMISSIVE', 'DISABLE'), selects: pick('', 'cart') })
  .map((v) => object('security.istio.io/v1', 'PeerAuthentication', v, { spec: { mtls: { mode: v.mode }, ...(v.selects && { selector: { matchLabels: { app: v.selects } } }) } }))

const attached = (v: { readonly selects: string; readonly target: string }) => ({
  ...(v.selects && { selector: { matchLabels: { app: v.selects } } }),
  ...(!v.selects && v.target && { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: v.target }] }),
})

const authorizationRule = pick<Readonly<Record<string, unknown>>>(
  {},
  { from: [{ source: { principals: ['cluster.local/ns/shop/sa/robot'] } }] },
  { from: [{ source: { namespaces: ['pay'], notIpBlocks: ['10.0.0.1'] } }], to: [{ operation: { ports: ['8080'] } }] },
  { from: [{ source: { requestPrincipals: ['*'] } }], to: [{ operation: { paths: ['/a/{*}/b', '/c*'], hosts: ['cart.example.com'] } }] },
  { to: [{ operation: { methods: ['GET'], notPaths: ['/x'] } }], when: [{ key: 'request.headers[x-test]', values: ['yes', '*'] }] },
  { when: [{ key: 'request.auth.claims[a][b]', values: ['c'] }, { key: 'source.ip', notValues: ['10.0.0.0/8'] }] },
)
const customRule = pick<Readonly<Record<string, unknown>>>({}, { to: [{ operation: { paths: ['/ask'] } }] }, { from: [{ source: { ipBlocks: ['10.0.0.0/8'] } }] })

const authorizationPolicy = fc
  .record({
    namespace: pick(...NAMESPACES, 'istio-system'),
    name,
    action: pick('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
    rules: fc.array(authorizationRule, { maxLength: 2 }),
    asked: fc.array(customRule, { minLength: 1, maxLength: 2 }),
    provider: pick('by-grpc', 'by-http', 'nobody'),
    selects: pick('', 'cart', 'till'),
    target: pick('', '', 'door'),
    trial: fc.boolean(),
    spellings: pick('', 'true', 'false'),
  })
  .map((v) => {
    const rules = v.action === 'CUSTOM' ? { provider: { name: v.provider }, rules: v.asked } : v.rules.length > 0 || v.action === 'DENY' ? { rules: v.rules } : {}
    const made = object('security.istio.io/v1', 'AuthorizationPolicy', v, { spec: { action: v.action, ...rules, ...attached(v) } })
    const annotations = { ...(v.trial && { 'istio.io/dry-run': 'true' }), ...(v.spellings && { 'lateen.io/every-spelling': v.spellings }) }
    return { ...made, metadata: { ...made.metadata, annotations } }
  })

const requestAuthentication = fc
  .record({ namespace: pick(...NAMESPACES, 'istio-system'), name, issuer: pick('https://a.example.com', 'https://b.example.com'), keys: pick('inline', 'address', 'issuer'), selects: pick('', 'cart'), target: pick('', 'door') })
  .map((v) => {
    const keys = { inline: { jwks: '{"keys":[{"kty":"oct","kid":"k","k":"c2VjcmV0IG9mIGEgdGVzdCB0aGF0IGlzIGxvbmcgZW5vdWdo"}]}' }, address: { jwksUri: `${v.issuer}/keys` }, issuer: {} }[v.keys]
    return object('security.istio.io/v1', 'RequestAuthentication', v, { spec: { jwtRules: [{ issuer: v.issuer, ...keys, fromCookies: ['token'] }], ...attached(v) } })
  })

const server = fc
  .record({ port: pick(80, 8080, 443), host: pick('*', 'api.example.com', 'API.example.com', 'shop/*', 'shop/api.example.com', '*.example.com'), kind: pick('HTTP', 'HTTPS', 'TCP', 'PASSTHROUGH', 'TLS', 'AUTO', 'MESH'), redirect: fc.boolean(), bind: pick('', '10.0.9.1') })
  .map((v) => {
    const tls = { HTTP: v.redirect ? { httpsRedirect: true } : undefined, HTTPS: { mode: 'SIMPLE', credentialName: 'door' }, TCP: undefined, PASSTHROUGH: { mode: 'PASSTHROUGH' }, TLS: { mode: 'MUTUAL', credentialName: 'door' }, AUTO: { mode: 'AUTO_PASSTHROUGH' }, MESH: { mode: 'ISTIO_MUTUAL' } }[v.kind]
    return { port: { number: v.port, name: `${v.kind.toLowerCase()}-${v.port}`, protocol: { PASSTHROUGH: 'TLS', AUTO: 'TLS', MESH: 'HTTPS' }[v.kind as string] ?? v.kind }, hosts: [v.host], ...(v.bind && { bind: v.bind }), ...(tls && { tls }) }
  })

const gateway = fc
  .record({ name: pick('door', 'side'), servers: fc.uniqueArray(server, { minLength: 1, maxLength: 4, selector: ({ port }) => port.name }) })
  .map((v) => object('networking.istio.io/v1', 'Gateway', { namespace: 'shop', name: v.name }, { spec: { selector: { istio: 'gate' }, servers: v.servers } }))

const ingress = fc
  .record({ namespace, name, host: pick('', 'api.example.com', '*.example.com'), path: pick('/', '/a', '/a/*', ''), type: pick('Prefix', 'Exact', 'ImplementationSpecific'), port: pick<number | string>(80, 'http'), tls: fc.boolean(), fallback: fc.boolean(), served: fc.boolean() })
  .map((v) => {
    const backend = { service: { name: v.name, port: typeof v.port === 'number' ? { number: v.port } : { name: v.port } } }
    const made = object('networking.k8s.io/v1', 'Ingress', v, {
      spec: {
        ...(v.fallback && { defaultBackend: backend }),
        ...(v.tls && { tls: [{ hosts: ['api.example.com'], secretName: 'door' }] }),
        rules: [{ ...(v.host && { host: v.host }), http: { paths: [{ path: v.path, pathType: v.type, backend }] } }],
      },
    })
    return v.served ? { ...made, metadata: { ...made.metadata, annotations: { 'kubernetes.io/ingress.class': 'istio' } } } : made
  })

/** Gateways of the Gateway API on the service `cart`, whose pods are gateways too where they bear its label. */
const apiGateway = fc
  .record({ namespace, listeners: fc.uniqueArray(pick('http', 'tcp', 'tls'), { minLength: 1 }), host: pick('', '*.example.com', 'api.example.com'), from: pick('All', 'Same', 'Selector') })
  .map((v) =>
    object('gateway.networking.k8s.io/v1', 'Gateway', { namespace: v.namespace, name: 'portal' }, {
      spec: {
        gatewayClassName: 'istio',
        addresses: [{ type: 'Hostname', value: 'cart.shop.svc.cluster.local' }],
        listeners: v.listeners.map((name) => ({
          name,
          port: name === 'tcp' ? 9090 : 80,
          protocol: name.toUpperCase(),
          ...(v.host && name !== 'tcp' && { hostname: v.host }),
          ...(name === 'tls' && { tls: { mode: 'Passthrough' } }),
          allowedRoutes: { namespaces: { from: v.from, ...(v.from === 'Selector' && { selector: { matchLabels: { 'kubernetes.io/metadata.name': 'pay' } } }) } },
        })),
      },
    }),
  )

const httpRoute = fc
  .record({ kind: pick<'HTTPRoute' | 'GRPCRoute' | 'TCPRoute' | 'TLSRoute'>('HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'), namespace, name, parent: pick<'gateway' | 'service' | 'entry'>('gateway', 'service', 'entry'), parentNamespace: namespace, port: pick(0, 80), hostname: pick('', 'api.example.com', '*.example.com'), to: pick(...NAMESPACES), weights: pick<readonly number[]>([], [1], [0], [1, 2]), prefix: pick('', '/', '/a/') })
  .map((v) => {
    const parents = {
      gateway: { name: 'portal', namespace: v.parentNamespace },
      service: { group: '', kind: 'Service', name: 'cart', namespace: v.parentNamespace },
      entry: { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'cart', namespace: v.parentNamespace },
    }
    const matches = { HTTPRoute: [{ path: { type: 'PathPrefix', value: v.prefix } }], GRPCRoute: [{ method: { service: 'shop.Cart' } }], TCPRoute: [], TLSRoute: [] }[v.kind]
    return object('gateway.networking.k8s.io/v1', v.kind, v, {
      spec: {
        parentRefs: [{ ...parents[v.parent], ...(v.port && { port: v.port }) }],
        ...(v.hostname && v.kind !== 'TCPRoute' && { hostnames: [v.hostname] }),
        rules: [{ ...(v.prefix && matches.length > 0 && { matches }), backendRefs: v.weights.map((weight) => ({ name: 'till', namespace: v.to, port: 80, weight })) }],
      },
    })
  })

const grant = fc.record({ namespace, kind: pick('HTTPRoute', 'TLSRoute') }).map((v) =>
  object('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', { namespace: v.namespace, name: 'routes' }, {
    spec: { from: NAMESPACES.map((from) => ({ group: 'gateway.networking.k8s.io', kind: v.kind, namespace: from })), to: [{ group: '', kind: 'Service' }] },
  }),
)

const ingressListener = pick<Readonly<Record<string, unknown>>>(
  { port: { number: 9000, name: 'http', protocol: 'HTTP' }, defaultEndpoint: '127.0.0.1:8080' },
  { port: { number: 9001, name: 'tcp', protocol: 'TCP' }, defaultEndpoint: 'unix:///run/app.sock' },
  { port: { number: 9002, name: 'grpc', protocol: 'GRPC' }, defaultEndpoint: '0.0.0.0:8080' },
  { port: { number: 9003, name: 'http', protocol: 'HTTP' }, captureMode: 'NONE', bind: '127.0.0.1' },
)

const egressListener = pick<Readonly<Record<string, unknown>>>(
  { hosts: ['./*'] },
  { hosts: ['pay/*'] },
  { hosts: ['*/cart.shop.svc.cluster.local'] },
  { hosts: ['*/*'], port: { number: 80, name: 'http', protocol: 'HTTP' } },
  { hosts: ['*/*'], port: { number: 9090, name: 'tcp', protocol: 'TCP' }, bind: '127.0.0.1', captureMode: 'NONE' },
  { hosts: ['./*'], port: { number: 7443, name: 'proxy', protocol: 'HTTP_PROXY' }, bind: '127.0.0.1', captureMode: 'NONE' },
  { hosts: ['pay/*'], port: { number: 0, name: 'http', protocol: 'HTTP' }, bind: 'unix:///run/out.sock' },
)

const pool = pick<Readonly<Record<string, unknown>>>({}, { tcp: { maxConnections: 3 } }, { http: { http2MaxRequests: 7, useClientProtocol: true } })

const sidecar = fc
  .record({
    namespace: pick(...NAMESPACES, 'istio-system'),
    egress: fc.uniqueArray(egressListener, { maxLength: 4 }),
    ingress: fc.uniqueArray(ingressListener, { maxLength: 2 }),
    outside: pick('', 'REGISTRY_ONLY', 'proxy'),
    pool,
  })
  .map((v) =>
    object('networking.istio.io/v1', 'Sidecar', { namespace: v.namespace, name: 'default' }, {
      spec: {
        // A listener for every port stands last, and only one may.
        ...(v.egress.length > 0 && { egress: [...v.egress.filter((entry) => entry['port']), ...v.egress.filter((entry) => !entry['port']).slice(0, 1)] }),
        ...(v.ingress.length > 0 && { ingress: v.ingress }),
        ...(v.outside === 'REGISTRY_ONLY' && { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }),
        ...(v.outside === 'proxy' && { outboundTrafficPolicy: { mode: 'ALLOW_ANY', egressProxy: { host: 'cart.shop.svc.cluster.local', port: { number: 80 } } } }),
        ...(Object.keys(v.pool).length > 0 && { inboundConnectionPool: v.pool }),
      },
    }),
  )

/** One setting of each feature of HTTP routes, in any mixture. */
const routeSettings = fc.record({
  timeout: pick(undefined, '3s'),
  retries: pick<unknown>(undefined, { attempts: 0 }, { attempts: 2, perTryTimeout: '1s', retryOn: '5xx,429', backoff: '30ms', retryRemoteLocalities: true }),
  fault: pick<unknown>(undefined, { delay: { fixedDelay: '1s', percentage: { value: 10 } } }, { abort: { grpcStatus: 'ABORTED', percentage: { value: 1 } } }),
  corsPolicy: pick<unknown>(undefined, { allowOrigins: [{ regex: '.*' }], maxAge: '10s', unmatchedPreflights: 'IGNORE' }),
  headers: pick<unknown>(undefined, { request: { set: { host: 'a.example', 'x-a': '1' }, add: { 'x-a': '2' } }, response: { remove: ['x-b'] } }),
  mirrors: pick<unknown>(undefined, [{ destination: { host: 'till' }, percentage: { value: 5 } }]),
  rewrite: pick<unknown>(undefined, { uri: '/b' }, { uriRegexRewrite: { match: '^/(.*)$', rewrite: '/x/\\1' } }),
})

const routeMatch = pick<unknown>(
  undefined,
  [{ uri: { prefix: '/a' }, ignoreUriCase: true, name: 'a' }],
  [{ uri: { regex: '/v[0-9]+' }, withoutHeaders: { 'x-robot': {} } }, { method: { exact: 'GET' }, queryParams: { q: { prefix: 'x' } } }],
  [{ authority: { exact: 'cart' }, port: 80 }, { scheme: { exact: 'http' }, statPrefix: 'plain' }],
)

const defined = (fields: Readonly<Record<string, unknown>>) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** VirtualServices with all that a route can say, and delegates of the same name in the other namespace. */
const richService = fc
  .record({
    namespace,
    name,
    host,
    match: routeMatch,
    settings: routeSettings,
    action: pick('route', 'split', 'redirect', 'answer', 'delegate'),
    created: pick('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
  })
  .map((v) => {
    const { rewrite, mirrors, fault, ...rest } = v.settings
    const destination = { host: v.host.replace('*.', '') }
    const forwarding = { ...rest, rewrite, mirrors, fault }
    const action = {
      route: { route: [{ destination, headers: { response: { set: { 'x-to': 'one' } } } }], ...forwarding },
      split: { route: [{ destination, weight: 30 }, { destination: { host: 'till', subset: 'v1' }, weight: 70, headers: { request: { set: { host: 'c.example' } } } }], ...forwarding },
      redirect: { redirect: { uri: '/z', authority: 'z.example', scheme: 'https', derivePort: 'FROM_REQUEST_PORT', redirectCode: 307 } },
      answer: { directResponse: { status: 418, body: { string: 'short' } }, headers: rest.headers },
      delegate: { delegate: { name: `${v.name}-part`, namespace: v.namespace }, ...rest },
    }[v.action]
    const made = object('networking.istio.io/v1', 'VirtualService', { namespace: v.namespace, name: `${v.name}-rich` }, {
      spec: { hosts: [v.host], http: [defined({ match: v.match, ...action })] },
    })
    return { ...made, metadata: { ...made.metadata, creationTimestamp: v.created } }
  })

const delegate = fc.record({ namespace, name, match: routeMatch, exportTo: pick<readonly string[]>([], ['.'], ['*']) }).map((v) =>
  object('networking.istio.io/v1', 'VirtualService', { namespace: v.namespace, name: `${v.name}-part` }, {
    spec: { exportTo: v.exportTo, http: [defined({ match: v.match, route: [{ destination: { host: v.name } }] })] },
  }),
)

const workloadEntry = fc
  .record({ namespace, name, address: pick('10.0.8.1', '10.96.0.1', 'unix:///run/x.sock', 'vm.example.com'), app: name, account: pick('', 'robot'), weight: pick(0, 7), port: pick(0, 8080) })
  .map((v) =>
    object('networking.istio.io/v1', 'WorkloadEntry', v, {
      spec: {
        address: v.address,
        labels: { app: v.app, version: 'v1' },
        ...(v.account && { serviceAccount: v.account }),
        ...(v.weight && { weight: v.weight, locality: 'east/b' }),
        ...(v.port && !v.address.startsWith('unix') && { ports: { http: v.port } }),
      },
    }),
  )

/** What gateways show their callers: whole, broken, or authorities alone. */
const secret = pick<Readonly<Record<string, string>>>({ 'tls.crt': 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t', 'tls.key': 'LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t' }, { 'ca.crt': 'Y2E=' }, {}).map(
  (data): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'shop', name: 'door' }, data }),
)

const namespaceObject = fc.record({ name: namespace, near: pick('', 'PreferClose'), labels: pick<Readonly<Record<string, string>>>({}, { 'kubernetes.io/metadata.name': 'pay' }) }).map(
  (v): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: v.name, labels: v.labels, ...(v.near && { annotations: { 'networking.istio.io/traffic-distribution': v.near } }) } }),
)

const proxyConfig = fc.record({ namespace, name, debug: fc.boolean() }).map((v) =>
  object('networking.istio.io/v1beta1', 'ProxyConfig', v, { spec: { concurrency: 2, environmentVariables: v.debug ? { A: 'b' } : {} } }),
)

/** Any one object, mostly about the same few hosts, so that objects concern each other. */
export const anyObject = fc.oneof(service, pod, slice, node, virtualService, bytesService, destinationRule, serviceEntry, peerAuthentication, authorizationPolicy, requestAuthentication, gateway, sidecar, richService, delegate, ingress, apiGateway, httpRoute, grant, workloadEntry, secret, namespaceObject, proxyConfig)
/** Setting or deleting one of them. */
export const change: fc.Arbitrary<ConfigChange> = fc.record({ operation: fc.oneof({ weight: 4, arbitrary: fc.constant('set' as const) }, { weight: 1, arbitrary: fc.constant('delete' as const) }), object: anyObject })

/** One proxy of each kind that sees things differently. */
export const PROXIES = [
  { namespace: 'shop', name: 'cart', ip: '10.0.0.1', labels: { app: 'cart' }, metadata: { DNS_CAPTURE: 'true', ENVOY_PROMETHEUS_PORT: 15090, HTTP_PROXY_PORT: '7443' } },
  { namespace: 'pay', name: 'till', ip: '10.0.1.2', labels: { app: 'till', 'istio-locality': 'west.west-a', version: 'v1' } },
  { namespace: 'other', name: 'guest', ip: '10.0.9.9', labels: {}, wholeRoutes: true, metadata: { INSTANCE_IPS: '10.0.9.9,fd00::9' } },
  { namespace: 'pay', name: 'cart', ip: '10.0.1.1', labels: { app: 'cart' }, metadata: { INTERCEPTION_MODE: 'NONE', HTTP10: '1' } },
  { namespace: 'shop', name: 'till', ip: '10.0.0.2', labels: { app: 'till' }, metadata: { INTERCEPTION_MODE: 'TPROXY', INSTANCE_IPS: 'fd00::2', INBOUND_LISTENER_EXACT_BALANCE: true, PROXY_CONFIG: { proxyHeaders: { preserveHttp1HeaderCase: true } } } },
  { type: 'router' as const, namespace: 'shop', name: 'gate', ip: '10.0.9.1', labels: { istio: 'gate' } },
  { type: 'router' as const, namespace: 'shop', name: 'cart', ip: '10.0.0.1', labels: { istio: 'gate', app: 'cart' }, metadata: { INSTANCE_IPS: '10.0.0.1,fd00::1', UNPRIVILEGED_POD: 'true' } },
]

export const keyOf = (o: KubeObject) => `${o.kind}/${o.metadata.namespace ?? ''}/${o.metadata.name}`
