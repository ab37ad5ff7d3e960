/** Istio's installation values as a plain tree, read by dotted path. What is missing or of another type counts as unset. */
import { isRecord } from '../pod/pod.ts'

export type Values = Readonly<Record<string, unknown>>

/** The value at a dotted path (`global.proxy.image`). */
export function valueAt(values: Values, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => (isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined), values)
}

/** Text, number or truth value at a path as text; `fallback` where there is none. */
export function textAt(values: Values, path: string, fallback = ''): string {
  const value = valueAt(values, path)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : fallback
}

/** Whether the value is true, as a boolean or in words. */
export function flagAt(values: Values, path: string): boolean {
  return textAt(values, path) === 'true'
}

/** `base` with `overlay` merged over it, map by map; lists are replaced, `null` removes. */
export function mergeValues(base: Values, overlay: Values): Values {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(overlay)) {
    const old = result[key]
    if (value === null) delete result[key]
    else result[key] = isRecord(value) ? mergeValues(isRecord(old) ? old : {}, value) : value
  }
  return result
}

/** The values that Istio's chart has where nobody set anything, as far as injection reads them. */
export const DEFAULT_VALUES: Values = {
  global: {
    caAddress: '',
    caName: '',
    hub: 'docker.io/istio',
    imagePullPolicy: '',
    imagePullSecrets: [],
    istioNamespace: 'istio-system',
    logAsJson: false,
    logging: { level: 'default:info' },
    meshID: '',
    mountMtlsCerts: false,
    multiCluster: { clusterName: '' },
    nativeNftables: false,
    network: '',
    pilotCertProvider: 'istiod',
    proxy: {
      autoInject: 'enabled',
      clusterDomain: 'cluster.local',
      componentLogLevel: 'misc:error',
      excludeIPRanges: '',
      excludeInboundPorts: '',
      excludeOutboundPorts: '',
      image: 'proxyv2',
      includeIPRanges: '*',
      includeInboundPorts: '*',
      includeOutboundPorts: '',
      logLevel: 'warning',
      outlierLogPath: '',
      privileged: false,
      readinessFailureThreshold: 4,
      readinessInitialDelaySeconds: 0,
      readinessPeriodSeconds: 15,
      resources: { limits: { cpu: '2000m', memory: '1024Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
      seccompProfile: {},
      startupProbe: { enabled: true, failureThreshold: 600 },
      statusPort: 15020,
      tracer: 'none',
    },
    proxy_init: { forceApplyIptables: false, image: 'proxyv2' },
    sds: { token: { aud: 'istio-ca' } },
    sts: { servicePort: 0 },
    tag: '1.30.3',
    variant: '',
  },
  pilot: { cni: { enabled: false, provider: 'default' }, env: {} },
  revision: '',
  sidecarInjectorWebhook: {
    alwaysInjectSelector: [],
    defaultTemplates: [],
    enableNamespacesByDefault: false,
    injectedAnnotations: {},
    neverInjectSelector: [],
    reinvocationPolicy: 'Never',
    rewriteAppHTTPProbe: true,
    templates: {},
  },
}
