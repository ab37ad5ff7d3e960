/** Istio's installation values with the chart's defaults, as other tools expect to find them in the ConfigMap `istio-sidecar-injector`. */

/** A tree of values, as in a Helm values file. */
export type Tree = Readonly<Record<string, unknown>>

/** `base` with `overlay` merged over it, map by map; lists are replaced, `null` removes. */
export function mergeTrees(base: Tree, overlay: Tree): Tree {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(overlay)) {
    const old = result[key]
    if (value === null) delete result[key]
    else result[key] = isMap(value) ? mergeTrees(isMap(old) ? old : {}, value) : value
  }
  return result
}

function isMap(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The chart's values where only these three are chosen. */
export function chartValues(chosen: { readonly hub: string; readonly tag: string; readonly revision: string }): Tree {
  return {
    gateways: { seccompProfile: {}, securityContext: {} },
    global: {
      caAddress: '',
      caName: '',
      certSigners: [],
      configCluster: false,
      configValidation: true,
      defaultPodDisruptionBudget: { enabled: true },
      defaultResources: { requests: { cpu: '10m' } },
      externalIstiod: false,
      hub: chosen.hub,
      imagePullPolicy: '',
      imagePullSecrets: [],
      istioNamespace: 'istio-system',
      istiod: { enableAnalysis: false },
      logAsJson: false,
      logging: { level: 'default:info' },
      meshID: '',
      meshNetworks: {},
      mountMtlsCerts: false,
      multiCluster: { clusterName: '' },
      nativeNftables: false,
      network: '',
      networkPolicy: { enabled: false },
      omitSidecarInjectorConfigMap: false,
      operatorManageWebhooks: false,
      pilotCertProvider: 'istiod',
      priorityClassName: '',
      proxy: PROXY,
      proxy_init: { forceApplyIptables: false, image: 'proxyv2' },
      remotePilotAddress: '',
      resourceScope: 'all',
      sds: { token: { aud: 'istio-ca' } },
      sts: { servicePort: 0 },
      tag: chosen.tag,
      variant: '',
      waypoint: {
        affinity: {},
        nodeSelector: {},
        resources: { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '100m', memory: '128Mi' } },
        tolerations: [],
        topologySpreadConstraints: [],
      },
    },
    pilot: { cni: { enabled: false, provider: 'default' }, env: {} },
    revision: chosen.revision,
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
}

const PROXY: Tree = {
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
}
