/** The mesh as a value: objects go in, resource sets for proxies come out. See `mesh-contract.ts`. */
import { type KubeObject, normalize, refOf, validate } from '@lateen/api'
import { type Diagnostic, isRecord, type ObjectRef } from '@lateen/base'
import { Graph, type Interned } from '@lateen/graph'
import {
  applyChange,
  createInputs,
  createModel,
  DEFAULT_SWITCHES,
  inputKind,
  type MeshConfigView,
  type MeshProxy,
  type MeshSettings,
  type MeshSwitches,
  meshTraffic,
  misshapen,
  proxyConfigFor,
  proxyOf,
  statusFamily,
  wantedKeySets,
} from '@lateen/model'
import { inspect } from './inspection.ts'
import type { ConfigChange, MeshState, ProxyNode, ProxySession } from './mesh-contract.ts'
import { createGateways } from './view/gateway.ts'
import { governingObjects } from './view/governing.ts'
import { createInbound } from './view/inbound.ts'
import { createNameTable } from './view/name-table.ts'
import { originsOf } from './view/origins.ts'
import { createOutbound } from './view/outbound.ts'
import { createProxySets, NOTHING } from './view/proxy-sets.ts'
import { createScopes } from './view/scope.ts'

/** What an installation has unless it says otherwise: for a mesh of files alone. */
export const DEFAULT_MESH = {
  clusterId: 'Kubernetes',
  domain: 'cluster.local',
  rootNamespace: 'istio-system',
  trustDomain: 'cluster.local',
} as const

export interface MeshOptions {
  /** `Kubernetes` unless the installation says otherwise. */
  readonly clusterId: string
  /** DNS suffix of services: `cluster.local`. */
  readonly domain: string
  readonly rootNamespace: string
  readonly trustDomain: string
  readonly revision?: string
  readonly switches?: Partial<MeshSwitches>
  /** Hears of computations that threw: faults of this program. */
  readonly onFault?: (where: string, error: unknown) => void
}

/** Kinds whose objects users write and which are checked before they take effect. */
const CHECKED = /^(networking|security|telemetry|extensions)\.istio\.io\//

export function createMesh(options: MeshOptions): MeshState {
  const graph = new Graph()
  if (options.onFault) graph.onError = options.onFault
  const inputs = createInputs(graph)
  const model = createModel(graph, inputs)
  const scopes = createScopes(graph, model)
  const outbound = createOutbound(graph, model, scopes)
  const inbound = createInbound(graph, model)
  const gateways = createGateways(graph, model, outbound, scopes)
  const nameTable = createNameTable(graph, model, scopes, outbound)
  const proxySets = createProxySets(graph, { model, scopes, outbound, inbound, gateways, nameTable })
  const statuses = statusFamily(model)
  const governing = governingObjects(model)
  const proxies = new WeakMap<ProxySession, Interned<MeshProxy>>()
  const found = new Map<string, readonly Diagnostic[]>()
  let settings: MeshSettings = settingsFrom(options, {}, undefined)
  graph.batch(() => inputs.settings.set('', settings))
  const keySets = graph.watch(wantedKeySets(inputs, model.requestAuthentications), '', () => {})

  const put = (next: MeshSettings) => {
    settings = next
    graph.batch(() => inputs.settings.set('', settings))
  }

  /** A bad object counts as absent, and says why. */
  const accept = (change: ConfigChange): ConfigChange => {
    const kind = inputKind(change.object)
    if (kind === undefined) return change
    const id = `${kind} ${change.object.metadata.namespace ?? ''}/${change.object.metadata.name}`
    found.delete(id)
    if (change.operation === 'delete') return change
    const diagnostics = CHECKED.test(kind) ? problemsOf(change.object) : misshape(change.object)
    if (diagnostics.length > 0) found.set(id, diagnostics)
    return diagnostics.some((diagnostic) => diagnostic.severity === 'Error')
      ? { operation: 'delete', object: change.object }
      : { operation: 'set', object: CHECKED.test(kind) ? normalize(change.object) : change.object }
  }

  return {
    apply: (changes) => {
      graph.batch(() => {
        for (const change of changes) applyChange(inputs, accept(change))
      })
    },
    setMeshConfig: (config) => put(settingsFrom(options, isRecord(config) ? config : {}, settings.networks)),
    setMeshNetworks: (networks) => put({ ...settings, networks }),
    wantedKeySets: () => keySets.value(),
    setKeySets: (sets) => {
      graph.batch(() => {
        for (const [id, text] of sets) {
          if (text === undefined) inputs.keySets.delete(id)
          else inputs.keySets.set(id, text)
        }
      })
    },
    open: (node: ProxyNode, session, onChange): ProxySession => {
      const proxy = graph.intern(proxyOf(node, session))
      const watch = graph.watch(proxySets, proxy, onChange)
      const opened: ProxySession = {
        resources: (typeUrl) => watch.value().get(typeUrl) ?? NOTHING,
        close: () => watch.close(),
      }
      proxies.set(opened, proxy)
      return opened
    },
    watchStatuses: (onChange) => graph.watch(statuses, '', onChange),
    proxyConfig: (namespace, labels) =>
      proxyConfigFor(inputs.kinds['networking.istio.io/ProxyConfig'], { namespace, labels, rootNamespace: settings.rootNamespace }),
    origins: (session, typeUrl, name): readonly ObjectRef[] =>
      originsOf({ graph, model, outbound, inbound, gateways, session, typeUrl, name }),
    governing: (session) => {
      const proxy = proxies.get(session)
      return proxy ? graph.peek(governing, proxy) : []
    },
    inspect: () => inspect(graph, inputs, model),
    diagnostics: () => [...found].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, diagnostics]) => diagnostics),
  }
}

function misshape(object: KubeObject): readonly Diagnostic[] {
  const found = misshapen(object)
  if (!found) return []
  const message = `found ${found.found}; ${found.wanted} is needed`
  return [{ code: 'LTN0103', severity: 'Error', object: refOf(object), path: found.path, message }]
}

function problemsOf(object: KubeObject): readonly Diagnostic[] {
  try {
    return validate(object)
  } catch (error) {
    return [
      {
        code: 'LTN0001',
        severity: 'Error',
        object: refOf(object),
        path: '',
        message: `cannot be checked: ${error instanceof Error ? error.message : 'unknown fault'}`,
      },
    ]
  }
}

function settingsFrom(options: MeshOptions, config: Readonly<Record<string, unknown>>, networks: unknown): MeshSettings {
  const mesh = config as MeshConfigView
  const given = { ...DEFAULT_SWITCHES, ...options.switches }
  // QUIC has a TLS of its own in Envoy, 1.3 always, whose suites and groups nothing limits.
  const switches = { ...given, http3: given.http3 && !given.tlsPolicy }
  return {
    clusterId: options.clusterId,
    domain: options.domain,
    rootNamespace: mesh.rootNamespace || options.rootNamespace,
    trustDomain: mesh.trustDomain || options.trustDomain,
    trustDomainAliases: mesh.trustDomainAliases ?? [],
    federatedDomains: (mesh.caCertificates ?? []).flatMap(({ trustDomains }) => trustDomains ?? []),
    mesh,
    networks,
    switches,
    traffic: meshTraffic(mesh, switches),
  }
}
