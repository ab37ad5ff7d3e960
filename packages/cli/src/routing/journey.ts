/** The way of a request from a pod: through its own proxy, to an endpoint, through the endpoint's proxy to the application. */
import type { ObjectRef } from '@lateen/base'
import {
  type ForwardedRequest,
  type HttpRequest,
  type Origin,
  type PathOutcome,
  type Trace,
  type TraceCall,
  trace,
  type Upstream,
  type UpstreamEndpoint,
  upstreamOf,
} from '@lateen/simulate'
import type { PodView } from './proxy-node.ts'
import { dialled, requestOf, type Target } from './target.ts'
import type { World } from './world.ts'

export interface Journey {
  readonly from: PodView
  readonly target: Target
  readonly dialled: { readonly address: string; readonly port: number }
  /** What the caller's own proxy does; absent when it has none. */
  readonly trace?: Trace
  readonly legs: readonly Leg[]
}

/** One thing that can happen, and what follows it. */
export interface Leg {
  readonly outcome: PathOutcome
  readonly upstream?: Upstream
  /** What the proxies of the endpoints do, one of each workload. */
  readonly arrivals: readonly Arrival[]
}

export interface Arrival {
  readonly pod: PodView
  readonly endpoint: UpstreamEndpoint
  /** Absent when the pod has no proxy: the application gets the request as it is. */
  readonly trace?: Trace
  readonly outcome?: PathOutcome
}

const MOST_ARRIVALS = 4

export function travel(world: World, from: PodView, target: Target, now: number): Journey {
  const where = dialled(world, from, target)
  const request = requestOf(target)
  if (from.role === 'none') return { from, target, dialled: where, legs: [withoutProxy(world, from, target, where, request, now)] }
  const tls = target.scheme === 'https' || target.scheme === 'tls'
  const found = trace(world.configuration(from), {
    mode: from.role === 'router' ? 'gateway' : 'outbound',
    destination: where,
    ...(from.role === 'sidecar' && from.addresses[0] !== undefined && { sourceAddress: from.addresses[0] }),
    tls: tls ? 'tls' : 'plaintext',
    sni: tls ? target.host : '',
    alpn: target.scheme === 'https' ? ['h2', 'http/1.1'] : [],
    ...(request && { request }),
    http2: target.scheme === 'grpc',
    now,
  })
  return {
    from,
    target,
    dialled: where,
    trace: found,
    legs: found.outcomes.map((outcome) => legOf(world, from, target, outcome, where, now)),
  }
}

function legOf(world: World, from: PodView, target: Target, outcome: PathOutcome, where: Journey['dialled'], now: number): Leg {
  if (outcome.end.kind !== 'forward') return { outcome, arrivals: [] }
  const upstream = upstreamOf(world.configuration(from), outcome.end.cluster)
  if (!upstream) return { outcome, arrivals: [] }
  const sent = outcome.end.request
  const asDialled: UpstreamEndpoint = { ...where, locality: '', priority: 0, healthy: true, share: 1, workload: '', tls: upstream.tls }
  const endpoints = upstream.found === 'address dialled' ? [asDialled] : upstream.endpoints
  const arrivals: Arrival[] = []
  for (const endpoint of endpoints) {
    const pod = world.pods.find(({ addresses }) => addresses.includes(endpoint.address))
    if (
      !pod ||
      arrivals.length >= MOST_ARRIVALS ||
      arrivals.some((known) => known.endpoint.workload === endpoint.workload && known.endpoint.tls.mode === endpoint.tls.mode)
    )
      continue
    arrivals.push(arrive({ world, from, pod, endpoint, request: sent, http2: target.scheme === 'grpc', now }))
  }
  return { outcome, upstream, arrivals }
}

interface Arriving {
  readonly world: World
  readonly from: PodView
  readonly pod: PodView
  readonly endpoint: UpstreamEndpoint
  readonly request: ForwardedRequest | HttpRequest | undefined
  readonly http2: boolean
  readonly now: number
}

function arrive({ world, from, pod, endpoint, request, http2, now }: Arriving): Arrival {
  if (pod.role === 'none') return { pod, endpoint }
  const { tls } = endpoint
  const mutual = tls.mode === 'mesh' || tls.mode === 'mutual'
  const call: TraceCall = {
    mode: 'inbound',
    destination: { address: endpoint.address, port: endpoint.port },
    ...(from.addresses[0] !== undefined && { sourceAddress: from.addresses[0] }),
    tls: mutual ? 'mtls' : tls.mode === 'tls' ? 'tls' : 'plaintext',
    sni: tls.sni,
    // Clusters that follow the caller's protocol offer it by the request, not by the cluster.
    alpn:
      tls.mode === 'mesh' && request && !tls.alpn.some((name) => name.startsWith('istio-'))
        ? ['istio-http/1.1', 'istio', 'http/1.1']
        : tls.alpn,
    ...(tls.mode === 'mesh' && { principal: `spiffe://${world.trustDomain}/ns/${from.namespace}/sa/${from.serviceAccount}` }),
    ...(request && {
      request: { scheme: 'http', method: request.method, authority: request.authority, path: request.path, headers: request.headers },
    }),
    http2,
    now,
  }
  const found = trace(world.configuration(pod), call)
  const outcome = [...found.outcomes].sort((a, b) => b.share - a.share)[0]
  return { pod, endpoint, trace: found, ...(outcome && { outcome }) }
}

/** A pod without a proxy reaches what it dials as it is. */
function withoutProxy(
  world: World,
  from: PodView,
  target: Target,
  where: Journey['dialled'],
  request: HttpRequest | undefined,
  now: number,
): Leg {
  const outcome: PathOutcome = { share: 1, verdicts: [], end: { kind: 'forward', cluster: '' } }
  const pods = podsBehind(world, where.address)
  const arrivals = pods.slice(0, MOST_ARRIVALS).map(({ pod, port }) => {
    const endpoint: UpstreamEndpoint = {
      address: pod.addresses[0] ?? '',
      port: port(where.port),
      locality: '',
      priority: 0,
      healthy: pod.ready,
      share: 1 / pods.length,
      workload: `${pod.namespace}/${pod.name}`,
      tls: { mode: 'plaintext', sni: '', alpn: [] },
    }
    return arrive({ world, from, pod, endpoint, request, http2: target.scheme === 'grpc', now })
  })
  return { outcome, arrivals }
}

interface Behind {
  readonly pod: PodView
  port(dialled: number): number
}

function podsBehind(world: World, address: string): Behind[] {
  const own = world.pods.find(({ addresses }) => addresses.includes(address))
  if (own) return [{ pod: own, port: (dialledPort) => dialledPort }]
  const service = world.objects.find(({ kind, spec }) => kind === 'Service' && Reflect.get(Object(spec), 'clusterIP') === address)
  const selector = Object.entries(Object(Reflect.get(Object(service?.spec), 'selector')) as Record<string, unknown>)
  if (!service || selector.length === 0) return []
  const ports = Reflect.get(Object(service.spec), 'ports')
  const port = (dialledPort: number): number => {
    const entry: unknown = Array.isArray(ports) ? ports.find((one: unknown) => Reflect.get(Object(one), 'port') === dialledPort) : undefined
    const target: unknown = Reflect.get(Object(entry), 'targetPort')
    return typeof target === 'number' ? target : dialledPort
  }
  return world.pods
    .filter(({ namespace, labels }) => namespace === service.metadata.namespace && selector.every(([key, value]) => labels[key] === value))
    .map((pod) => ({ pod, port }))
}

/** The objects behind a listener, a virtual host, a cluster: as its metadata says, else as translation recorded what it read. */
export function causes(
  world: World,
  pod: PodView,
  known: readonly Origin[],
  resource: { readonly typeUrl: string; readonly name: string },
  kinds?: readonly string[],
): readonly Origin[] {
  const read: readonly ObjectRef[] = world
    .origins(pod, resource.typeUrl, resource.name)
    .filter(({ kind }) => !kinds || kinds.includes(kind))
  const named = new Set(known.map(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`))
  return [...known, ...read.filter(({ kind, namespace, name }) => !named.has(`${kind}/${namespace}/${name}`))]
}
