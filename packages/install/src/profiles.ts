/**
 * Installation profiles: named choices of components and values, as IstioOperator specs.
 *
 * Components and values are those of Istio 1.30 (istio.io, "Installation Configuration Profiles"). A profile lies over `default`.
 */
import { DEFAULT_HUB, DEFAULT_TAG } from './options.ts'
import { mergeTrees, type Tree } from './values.ts'

export interface Profile {
  readonly name: string
  /** For whom it is, in a line. */
  readonly summary: string
}

interface Definition {
  readonly summary: string
  /** `spec.components`; gateways by name, as only these are lists. */
  readonly components: Tree
  readonly ingressGateway?: boolean
  readonly egressGateway?: boolean
  readonly values: Tree
}

const LITTLE = { requests: { cpu: '10m', memory: '40Mi' } }
const OPENSHIFT: Tree = {
  global: { platform: 'openshift' },
  cni: {
    chained: false,
    cniBinDir: '/var/lib/cni/bin',
    cniConfDir: '/etc/cni/multus/net.d',
    cniConfFileName: 'istio-cni.conf',
    provider: 'multus',
  },
  pilot: { cni: { enabled: true, provider: 'multus' } },
  seLinuxOptions: { type: 'spc_t' },
}
const AMBIENT: Tree = {
  meshConfig: {
    defaultConfig: { proxyMetadata: { ISTIO_META_ENABLE_HBONE: 'true' } },
    serviceScopeConfigs: [
      { servicesSelector: { matchExpressions: [{ key: 'istio.io/global', operator: 'In', values: ['true'] }] }, scope: 'GLOBAL' },
    ],
  },
  global: { variant: 'distroless' },
  pilot: { env: { PILOT_ENABLE_AMBIENT: 'true' } },
  cni: { ambient: { enabled: true } },
}

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  ambient: {
    summary: 'ambient mode: control plane, CNI and ztunnel, no gateway',
    components: { cni: { enabled: true }, ztunnel: { enabled: true } },
    ingressGateway: false,
    values: AMBIENT,
  },
  default: { summary: 'for production: control plane and ingress gateway', components: {}, values: {} },
  demo: {
    summary: 'to try things out: both gateways, access log, every request traced, little memory',
    components: {},
    egressGateway: true,
    values: {
      meshConfig: {
        accessLogFile: '/dev/stdout',
        extensionProviders: [
          { name: 'otel', envoyOtelAls: { service: 'opentelemetry-collector.observability.svc.cluster.local', port: 4317 } },
          { name: 'skywalking', skywalking: { service: 'tracing.istio-system.svc.cluster.local', port: 11800 } },
          { name: 'otel-tracing', opentelemetry: { service: 'opentelemetry-collector.observability.svc.cluster.local', port: 4317 } },
          { name: 'jaeger', opentelemetry: { service: 'jaeger-collector.istio-system.svc.cluster.local', port: 4317 } },
        ],
      },
      cni: { resources: LITTLE },
      ztunnel: { resources: LITTLE },
      global: { proxy: { resources: LITTLE }, waypoint: { resources: LITTLE } },
      pilot: { autoscaleEnabled: false, traceSampling: 100, resources: { requests: { cpu: '10m', memory: '100Mi' } } },
      gateways: {
        'istio-egressgateway': { autoscaleEnabled: false, resources: LITTLE },
        'istio-ingressgateway': {
          autoscaleEnabled: false,
          ports: [
            { port: 15021, targetPort: 15021, name: 'status-port' },
            { port: 80, targetPort: 8080, name: 'http2' },
            { port: 443, targetPort: 8443, name: 'https' },
            { port: 31400, targetPort: 31400, name: 'tcp' },
            { port: 15443, targetPort: 15443, name: 'tls' },
          ],
          resources: LITTLE,
        },
      },
    },
  },
  empty: {
    summary: 'nothing: a ground for your own choice',
    components: { base: { enabled: false }, pilot: { enabled: false } },
    ingressGateway: false,
    values: {},
  },
  minimal: { summary: 'the control plane alone', components: {}, ingressGateway: false, values: {} },
  openshift: {
    summary: 'OpenShift: with CNI',
    components: { cni: { enabled: true, namespace: 'kube-system' } },
    values: OPENSHIFT,
  },
  'openshift-ambient': {
    summary: 'ambient mode on OpenShift',
    components: { cni: { enabled: true, namespace: 'kube-system' }, ztunnel: { enabled: true, namespace: 'kube-system' } },
    ingressGateway: false,
    values: mergeTrees(AMBIENT, OPENSHIFT),
  },
  preview: {
    summary: 'what is experimental: names resolved by the proxies',
    components: {},
    values: { meshConfig: { defaultConfig: { proxyMetadata: { ISTIO_META_DNS_CAPTURE: 'true' } } } },
  },
  remote: {
    summary: 'a cluster whose control plane is elsewhere',
    components: {},
    values: {
      istiodRemote: { enabled: true },
      configMap: false,
      telemetry: { enabled: false },
      global: { externalIstiod: true, omitSidecarInjectorConfigMap: true },
    },
  },
  stable: {
    summary: 'only stable kinds and fields are taken',
    components: {},
    values: { experimental: { stableValidationPolicy: true } },
  },
}

/** All profiles, by name. */
export function profiles(): Profile[] {
  return Object.entries(DEFINITIONS).map(([name, { summary }]) => ({ name, summary }))
}

/**
 * What a profile installs, over `default`: an IstioOperator's `spec`, with the values that the profile's name stands for written out.
 *
 * @throws Error when there is no such profile
 */
export function profileSpec(name: string): Tree {
  const definition = Object.hasOwn(DEFINITIONS, name) ? DEFINITIONS[name] : undefined
  if (!definition) throw new Error(`there is no profile ${JSON.stringify(name)}; there are ${Object.keys(DEFINITIONS).join(', ')}`)
  const { meshConfig, ...values } = mergeTrees(DEFAULT_VALUES, definition.values)
  return {
    profile: name,
    hub: DEFAULT_HUB,
    tag: DEFAULT_TAG,
    ...(meshConfig === undefined ? {} : { meshConfig }),
    components: {
      ...mergeTrees({ base: { enabled: true }, pilot: { enabled: true } }, definition.components),
      ingressGateways: [{ name: 'istio-ingressgateway', enabled: definition.ingressGateway ?? true }],
      egressGateways: [{ name: 'istio-egressgateway', enabled: definition.egressGateway ?? false }],
    },
    values,
  }
}

/** What `default` chooses beside the charts' own values. */
const DEFAULT_VALUES: Tree = {
  defaultRevision: 'default',
  global: { istioNamespace: 'istio-system', configValidation: true },
  gateways: { 'istio-ingressgateway': {}, 'istio-egressgateway': {} },
  ztunnel: { resourceName: 'ztunnel' },
}
