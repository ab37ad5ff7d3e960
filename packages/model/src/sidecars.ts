/** Sidecar objects: what a workload wants to see of the mesh. */
import { type IstioEgressListener, type KubeObject, objectKey, refOf, type SidecarSpec } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { byAge } from './destination-rules.ts'
import { hostMatches, hostsOverlap } from './host.ts'
import type { Inputs } from './inputs.ts'
import { type Protocol, parseProtocol } from './protocol.ts'
import type { Service } from './service.ts'
import { settingsOf } from './services.ts'
import { selects } from './workload.ts'

/** One `namespace/host` of an egress list; the namespace is `*`, `.` or a name. */
export interface Import {
  readonly namespace: string
  readonly host: string
  /** Of services, that port alone; absent for all. */
  readonly port?: number
}

/** One entry of an egress list. */
export interface EgressListener {
  readonly imports: readonly Import[]
  /** The port that it is about; undefined for one that takes every port of its services. 0 on a unix socket. */
  readonly port: number | undefined
  readonly protocol: Protocol
  /** Address or `unix://` path; empty where the services' addresses are meant. */
  readonly bind: string
  /** It has a socket of its own: the application connects to it itself. */
  readonly bound: boolean
}

export interface SidecarConfig {
  readonly key: string
  readonly namespace: string
  readonly selector: Readonly<Record<string, string>> | undefined
  /** Undefined when the object has no egress list: everything is imported. */
  readonly imports: readonly Import[] | undefined
  /** The same, listener by listener. */
  readonly egress: readonly EgressListener[] | undefined
  readonly spec: SidecarSpec
  readonly created: string
  readonly origin: ObjectRef
}

export function sidecarCollection(graph: Graph, inputs: Inputs): Source<SidecarConfig> {
  return graph.collection<KubeObject, SidecarConfig>(
    'sidecars',
    inputs.kinds['networking.istio.io/Sidecar'],
    (_, object) => {
      const spec = (object.spec ?? {}) as SidecarSpec
      const namespace = object.metadata.namespace ?? ''
      const labels = spec.workloadSelector?.labels
      // An empty list says as little as none.
      const egress = spec.egress?.length ? spec.egress.map(egressListener) : undefined
      const config: SidecarConfig = {
        key: objectKey(object),
        namespace,
        selector: labels && Object.keys(labels).length > 0 ? labels : undefined,
        imports: egress?.flatMap((listener) => listener.imports),
        egress,
        spec,
        created: object.metadata.creationTimestamp ?? '',
        origin: refOf(object),
      }
      return [[config.key, config]]
    },
    { namespace: (config) => [config.namespace] },
  )
}

function egressListener({ hosts, port, bind, captureMode }: IstioEgressListener): EgressListener {
  const unix = bind?.startsWith(UNIX) === true
  const protocol = parseProtocol(port?.protocol ?? '')
  const number = port && (unix ? 0 : port.number)
  // A listener for a port is for services with that port; one that is an HTTP proxy is for all that requests name.
  const only = number && protocol !== 'http_proxy' ? { port: number } : {}
  return {
    imports: (hosts ?? []).map((text) => ({ ...parseImport(text), ...only })),
    port: number,
    protocol,
    bind: bind ?? '',
    bound: unix || captureMode === 'NONE',
  }
}

/** How binds that are paths of unix sockets begin. */
export const UNIX = 'unix://'

/** `./reviews`, `*\/*`, `~/*` (nothing), `reviews` (any namespace). */
function parseImport(text: string): Import {
  const slash = text.indexOf('/')
  return { namespace: slash < 0 ? '*' : text.slice(0, slash), host: text.slice(slash + 1).toLowerCase() }
}

/** A list with `.` replaced by the workload's namespace: in the root namespace's Sidecar it means each workload's own. */
export function importsOf(imports: readonly Import[] | undefined, namespace: string): readonly Import[] | undefined {
  return imports?.map((entry) => (entry.namespace === '.' ? { ...entry, namespace } : entry))
}

/**
 * The Sidecar that holds for a workload: one that selects it, else the namespace's, else the root namespace's; among several the
 * oldest.
 */
export function sidecarFor(
  context: Context,
  inputs: Inputs,
  sidecars: Source<SidecarConfig>,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): SidecarConfig | undefined {
  const own = [...context.list(sidecars, 'namespace', namespace)].sort(byAge)
  const selecting = own.find((sidecar) => sidecar.selector && selects(sidecar.selector, labels))
  if (selecting) return selecting
  const wide = own.find((sidecar) => !sidecar.selector)
  if (wide) return wide
  const { rootNamespace } = settingsOf(context, inputs)
  if (rootNamespace === namespace) return undefined
  return [...context.list(sidecars, 'namespace', rootNamespace)].sort(byAge).find((sidecar) => !sidecar.selector)
}

/** Whether an import list covers a host of a VirtualService: a pattern covers each of its names, and each of them covers it. */
export function importsHost(imports: readonly Import[] | undefined, namespace: string, host: string): boolean {
  if (!imports) return true
  return imports.some((entry) => fromNamespace(entry, namespace) && hostsOverlap(entry.host, host))
}

type Imported = Pick<Service, 'namespace' | 'host'>

/** Whether an import list covers a service, whose host may be a pattern no wider than what is imported. */
export function importsService(imports: readonly Import[] | undefined, service: Imported): boolean {
  return !imports || imports.some((entry) => coversService(entry, service))
}

/** Whether an import list covers a port of a service. */
export function importsPort(imports: readonly Import[] | undefined, service: Imported, port: number): boolean {
  return !imports || imports.some((entry) => (entry.port === undefined || entry.port === port) && coversService(entry, service))
}

const fromNamespace = (entry: Import, namespace: string): boolean => entry.namespace === '*' || entry.namespace === namespace

const coversService = (entry: Import, { namespace, host }: Imported): boolean =>
  fromNamespace(entry, namespace) && hostMatches(entry.host, host)
