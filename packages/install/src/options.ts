/** What can be chosen about an installation, and the values that result. */
import { chartValues, mergeTrees, type Tree } from './values.ts'

export interface GatewayOptions {
  /** 1 when not given. */
  readonly replicas?: number
  /** Ports of the Service; 80 and 443 when not given. They go to 8080 and 8443 of the proxy. */
  readonly httpPort?: number
  readonly httpsPort?: number
  /** More ports of the Service: TCP services through the gateway. */
  readonly extraPorts?: readonly { readonly name: string; readonly port: number; readonly targetPort?: number }[]
}

export interface LocalMeshOptions {
  /** The revision; `default` when not given. */
  readonly revision?: string
  /** Images are `hub/pilot:tag` and `hub/proxyv2:tag`; `lateen` and the given version when not given. */
  readonly hub?: string
  readonly tag?: string
  /** Istio's installation values over the defaults: `meshConfig`, `global`, `pilot`, `sidecarInjectorWebhook`, … */
  readonly values?: Tree
  /** The CA that signed istiod's webhook certificate, PEM. Without it, istiod puts it into the webhook configurations. */
  readonly caBundlePem?: string
  /** `false`: no ingress gateway. */
  readonly gateway?: GatewayOptions | false
  /** The cluster gives pods and Services addresses of both families, and the mesh uses them. */
  readonly dualStack?: boolean
  /** PodDisruptionBudgets, for clusters whose nodes are drained. */
  readonly podDisruptionBudgets?: boolean
}

/** Options with everything decided; what the builders read. */
export interface Installation {
  readonly revision: string
  readonly namespace: string
  readonly values: Tree
  readonly meshConfig: Tree
  readonly hub: string
  readonly tag: string
  readonly clusterDomain: string
  readonly caBundle: string | undefined
  readonly gateway: Required<GatewayOptions> | undefined
  readonly podDisruptionBudgets: boolean
  readonly dualStack: boolean
}

/** Istio asks for the same settings of whoever installs it on a dual-stack cluster. */
const DUAL_STACK: Tree = {
  meshConfig: { defaultConfig: { proxyMetadata: { ISTIO_DUAL_STACK: 'true' } } },
  pilot: { env: { ISTIO_DUAL_STACK: 'true' } },
}

/** Where images come from, and their version, when nothing is chosen. */
export const DEFAULT_HUB = 'lateen'
export const DEFAULT_TAG = '1.30.3'

/** Fills in what was not chosen. */
export function resolveInstallation(options: LocalMeshOptions): Installation {
  const hub = options.hub ?? DEFAULT_HUB
  const tag = options.tag ?? DEFAULT_TAG
  const revision = options.revision ?? 'default'
  const chart = mergeTrees(chartValues({ hub, tag, revision: revision === 'default' ? '' : revision }), options.dualStack ? DUAL_STACK : {})
  const own = mergeTrees(chart, options.values ?? {})
  const namespace = text(own, 'global.istioNamespace', 'istio-system')
  return {
    revision,
    namespace,
    values: own,
    meshConfig: mergeTrees(meshDefaults(namespace, revision), subtree(own, 'meshConfig')),
    hub: text(own, 'global.hub', hub),
    tag: text(own, 'global.tag', tag),
    clusterDomain: text(own, 'global.proxy.clusterDomain', 'cluster.local'),
    caBundle: options.caBundlePem === undefined ? undefined : base64(options.caBundlePem),
    gateway: options.gateway === false ? undefined : { replicas: 1, httpPort: 80, httpsPort: 443, extraPorts: [], ...options.gateway },
    podDisruptionBudgets: options.podDisruptionBudgets ?? false,
    dualStack: options.dualStack ?? false,
  }
}

/** The name suffix of a revision's objects: none for the default revision. */
export function revisionSuffix(installation: Installation): string {
  return installation.revision === 'default' ? '' : `-${installation.revision}`
}

function meshDefaults(namespace: string, revision: string): Tree {
  const istiod = `istiod${revision === 'default' ? '' : `-${revision}`}`
  return {
    accessLogFile: '/dev/stdout',
    defaultConfig: { discoveryAddress: `${istiod}.${namespace}.svc:15012` },
    defaultProviders: { metrics: ['prometheus'] },
    enablePrometheusMerge: true,
    rootNamespace: namespace,
    trustDomain: 'cluster.local',
  }
}

/** The families of a Service of the installation's own. */
export function families({ dualStack }: Installation): Tree {
  return dualStack ? { ipFamilyPolicy: 'RequireDualStack' } : {}
}

/** The text at a dotted path of a tree. */
export function text(tree: Tree, path: string, fallback: string): string {
  const value = at(tree, path)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : fallback
}

/** The map at a dotted path; empty where there is none. */
export function subtree(tree: Tree, path: string): Tree {
  const value = at(tree, path)
  return isTree(value) ? value : {}
}

function at(tree: Tree, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), tree)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''))
}
