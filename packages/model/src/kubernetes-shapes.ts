/** Shapes of the kinds that others define: what of them is read, and must be as it is read. */
import type { KubeObject } from '@lateen/api'
import { inputKind } from './inputs.ts'
import { type Misfit, misfit, type Shape } from './shape.ts'

const of = (fields: Readonly<Record<string, Shape>>): Shape => ({ fields })
const TEXTS: Shape = { texts: true }
const METADATA: Shape = of({ labels: TEXTS, annotations: TEXTS, creationTimestamp: 'text' })
const spec = (fields: Readonly<Record<string, Shape>>): Shape => of({ metadata: METADATA, spec: of(fields) })

const REFERENCE = { group: 'text', kind: 'text', namespace: 'text', name: 'text', sectionName: 'text', port: 'number' } as const
const NAMED: Shape = of({ type: 'text', name: 'text', value: 'text' })
const HEADER_CHANGES: Shape = of({ set: [NAMED], add: [NAMED], remove: ['text'] })
const PATH: Shape = of({ type: 'text', value: 'text', replaceFullPath: 'text', replacePrefixMatch: 'text' })
const FILTER: Shape = of({
  type: 'text',
  requestHeaderModifier: HEADER_CHANGES,
  responseHeaderModifier: HEADER_CHANGES,
  requestMirror: of({ backendRef: of(REFERENCE), percent: 'number', fraction: of({ numerator: 'number', denominator: 'number' }) }),
  requestRedirect: of({ scheme: 'text', hostname: 'text', path: PATH, port: 'number', statusCode: 'number' }),
  urlRewrite: of({ hostname: 'text', path: PATH }),
  cors: of({
    allowOrigins: ['text'],
    allowMethods: ['text'],
    allowHeaders: ['text'],
    exposeHeaders: ['text'],
    maxAge: 'number',
    allowCredentials: 'flag',
  }),
})
const route = (method: Shape): Shape =>
  spec({
    parentRefs: [of(REFERENCE)],
    hostnames: ['text'],
    rules: [
      of({
        matches: [of({ path: PATH, headers: [NAMED], queryParams: [NAMED], method })],
        filters: [FILTER],
        backendRefs: [of({ ...REFERENCE, weight: 'number', filters: [FILTER] })],
        timeouts: of({ request: 'text', backendRequest: 'text' }),
        retry: of({ codes: ['number'], attempts: 'number', backoff: 'text' }),
      }),
    ],
  })
const GRPC_METHOD: Shape = of({ type: 'text', service: 'text', method: 'text' })
const SELECTOR: Shape = of({ matchLabels: TEXTS, matchExpressions: [of({ key: 'text', operator: 'text', values: ['text'] })] })
const FROM: Shape = of({ from: 'text', selector: SELECTOR })
const LISTENER: Shape = of({
  name: 'text',
  hostname: 'text',
  port: 'number',
  protocol: 'text',
  tls: of({ mode: 'text', certificateRefs: [of(REFERENCE)], options: TEXTS }),
  allowedRoutes: of({ namespaces: FROM, kinds: [of(REFERENCE)] }),
})
const BACKEND: Shape = of({ service: of({ name: 'text', port: of({ number: 'number', name: 'text' }) }) })
const CONDITION: Shape = of({ type: 'text', status: 'text' })
const CONTAINER: Shape = of({ name: 'text', ports: [of({ name: 'text', containerPort: 'number', protocol: 'text' })] })

const SHAPES: Readonly<Record<string, Shape>> = {
  'core/Service': spec({
    type: 'text',
    clusterIP: 'text',
    clusterIPs: ['text'],
    externalIPs: ['text'],
    externalName: 'text',
    selector: TEXTS,
    publishNotReadyAddresses: 'flag',
    internalTrafficPolicy: 'text',
    trafficDistribution: 'text',
    ports: [of({ name: 'text', port: 'number', protocol: 'text', appProtocol: 'text', targetPort: 'number or text', nodePort: 'number' })],
  }),
  'core/Pod': of({
    metadata: METADATA,
    spec: of({ nodeName: 'text', serviceAccountName: 'text', hostNetwork: 'flag', containers: [CONTAINER], initContainers: [CONTAINER] }),
    status: of({ phase: 'text', podIP: 'text', podIPs: [of({ ip: 'text' })], conditions: [CONDITION] }),
  }),
  'core/Node': of({ metadata: METADATA }),
  'core/Namespace': of({ metadata: METADATA }),
  'core/Secret': of({ metadata: METADATA, data: TEXTS }),
  'core/ConfigMap': of({ metadata: METADATA, data: TEXTS }),
  'discovery.k8s.io/EndpointSlice': of({
    metadata: METADATA,
    addressType: 'text',
    endpoints: [
      of({
        addresses: ['text'],
        conditions: of({ ready: 'flag', serving: 'flag', terminating: 'flag' }),
        hostname: 'text',
        nodeName: 'text',
        zone: 'text',
        targetRef: of({ kind: 'text', namespace: 'text', name: 'text' }),
      }),
    ],
    ports: [of({ name: 'text', port: 'number', protocol: 'text', appProtocol: 'text' })],
  }),
  'networking.k8s.io/Ingress': spec({
    ingressClassName: 'text',
    defaultBackend: BACKEND,
    tls: [of({ hosts: ['text'], secretName: 'text' })],
    rules: [of({ host: 'text', http: of({ paths: [of({ path: 'text', pathType: 'text', backend: BACKEND })] }) })],
  }),
  'networking.k8s.io/IngressClass': spec({ controller: 'text' }),
  'gateway.networking.k8s.io/GatewayClass': spec({ controllerName: 'text' }),
  'gateway.networking.k8s.io/Gateway': spec({
    gatewayClassName: 'text',
    addresses: [of({ type: 'text', value: 'text' })],
    listeners: [LISTENER],
    allowedListeners: of({ namespaces: FROM }),
  }),
  'gateway.networking.k8s.io/ListenerSet': spec({ parentRef: of(REFERENCE), listeners: [LISTENER] }),
  'gateway.networking.k8s.io/HTTPRoute': route('text'),
  'gateway.networking.k8s.io/GRPCRoute': route(GRPC_METHOD),
  'gateway.networking.k8s.io/TCPRoute': route('text'),
  'gateway.networking.k8s.io/TLSRoute': route('text'),
  'gateway.networking.k8s.io/ReferenceGrant': spec({ from: [of(REFERENCE)], to: [of(REFERENCE)] }),
}

/** Where an object of a kind that others define is not as it is read; undefined where it is. */
export function misshapen(object: KubeObject): Misfit | undefined {
  const shape = SHAPES[inputKind(object) ?? '']
  return shape && misfit(shape, object, '')
}
