/** The debug pages under `/debug/`, in the shapes that istioctl and dashboards read. */
import type { KubeObject } from '@lateen/api'
import { type Diagnostic, formatDiagnostic, logLevel, logScopes } from '@lateen/base'
import type { ConfigSource } from '@lateen/config'
import { TYPE_URL } from '@lateen/envoy'
import type { ConnectionStatus } from '@lateen/xds'
import { type HttpReply, type HttpRequest, jsonReply } from '../http/http-server.ts'
import type { MeshDocuments } from '../mesh-config/mesh-documents.ts'
import { VERSION } from '../version.ts'
import type { OpenSession } from '../xds/mesh-source.ts'
import { configDump, typeDump } from './config-dump.ts'
import type { Access, DebugAccess } from './debug-access.ts'

export interface DebugContext {
  readonly clusterId: string
  readonly access: DebugAccess
  readonly connections: () => readonly ConnectionStatus[]
  readonly source: () => ConfigSource
  readonly mesh: () => MeshDocuments
  readonly diagnostics: () => readonly Diagnostic[]
  readonly find: (proxyId: string) => OpenSession | undefined
}

interface Page {
  readonly help: string
  /** A page about one proxy may be seen by the proxy's own namespace. */
  readonly proxy?: boolean
  readonly render: (context: DebugContext, request: HttpRequest) => HttpReply | Promise<HttpReply>
}

const PAGES: Readonly<Record<string, Page>> = {
  syncz: {
    help: 'what each proxy was sent and has taken',
    render: ({ connections, clusterId }) => jsonReply(connections().map((connection) => syncStatus(connection, clusterId))),
  },
  adsz: { help: 'connected proxies and what they subscribe to', render: ({ connections }) => jsonReply(clients(connections())) },
  connections: { help: 'connected proxies', render: ({ connections }) => jsonReply(clients(connections())) },
  configz: { help: 'configuration objects in force', render: ({ source }) => jsonReply([...source().objects()].filter(isConfig)) },
  registryz: { help: 'services', render: ({ source }) => jsonReply([...source().objects()].filter(isService)) },
  endpointz: { help: 'endpoints of services', render: ({ source }) => jsonReply([...source().objects()].filter(isEndpoints)) },
  sourcez: { help: 'state of each source of configuration', render: ({ source }) => jsonReply(source().status()) },
  mesh: { help: 'mesh configuration', render: ({ mesh }) => jsonReply(mesh().mesh) },
  networkz: { help: 'mesh networks', render: ({ mesh }) => jsonReply(mesh().networks) },
  diagnosticz: {
    help: 'what is wrong with the configuration',
    render: ({ diagnostics }) => jsonReply(diagnostics().map((item) => ({ ...item, text: formatDiagnostic(item) }))),
  },
  scopez: {
    help: 'log scopes and their levels',
    render: () => jsonReply(logScopes().map((name) => ({ name, output_level: logLevel(name) }))),
  },
  config_dump: {
    help: 'resources of a proxy; needs ?proxyID=',
    proxy: true,
    render: (context, request) => aboutProxy(context, request, configDump),
  },
  edsz: {
    help: 'endpoints sent to a proxy; needs ?proxyID=',
    proxy: true,
    render: (context, request) => aboutProxy(context, request, typeDump(TYPE_URL.EDS)),
  },
  ndsz: {
    help: 'DNS names sent to a proxy; needs ?proxyID=',
    proxy: true,
    render: (context, request) => aboutProxy(context, request, typeDump(TYPE_URL.NDS)),
  },
}

/** Answers `/debug` and everything below. */
export async function serveDebug(context: DebugContext, request: HttpRequest): Promise<HttpReply> {
  const name = request.url.pathname.replace(/^\/debug\/?/, '')
  const refused = crossOrigin(request)
  if (refused) return { status: 403, body: `${refused}\n` }
  const access = await context.access.check(request.headers.authorization)
  if ('refused' in access) return { status: 401, body: `debug pages need a token: ${access.refused}\n` }
  if (name === '') return { status: 200, body: index() }
  const page = Object.hasOwn(PAGES, name) ? PAGES[name] : undefined
  if (!page) return { status: 404, body: `there is no debug page "${name}"\n\n${index()}` }
  const forbidden = forbiddenBy(access, page, request)
  return forbidden ? { status: 403, body: `${forbidden}\n` } : page.render(context, request)
}

function index(): string {
  return `Debug pages of control plane ${VERSION}\n\n${Object.entries(PAGES)
    .map(([name, { help }]) => `/debug/${name.padEnd(14)} ${help}`)
    .join('\n')}\n`
}

/** A page in a browser may not use the rights of whoever looks at it. */
function crossOrigin({ headers }: HttpRequest): string | undefined {
  return headers.origin ? 'requests of web pages are not answered here' : undefined
}

function forbiddenBy(access: Access, page: Page, { url }: HttpRequest): string | undefined {
  if (!('scope' in access) || access.scope === 'all') return undefined
  const proxy = url.searchParams.get('proxyID') ?? ''
  const workload = proxy.split('~')[2] ?? proxy
  if (page.proxy && workload.endsWith(`.${access.namespace}`)) return undefined
  return `service accounts of namespace ${access.namespace} may see pages about proxies of that namespace only`
}

async function aboutProxy(
  context: DebugContext,
  { url }: HttpRequest,
  render: (session: OpenSession) => Promise<unknown>,
): Promise<HttpReply> {
  const proxyId = url.searchParams.get('proxyID')
  if (!proxyId) return { status: 400, body: 'give the proxy as ?proxyID=<pod>.<namespace>\n' }
  const session = context.find(proxyId)
  if (!session) return { status: 404, body: `no proxy "${proxyId.slice(0, 200)}" is connected to this replica\n` }
  return jsonReply(await render(session))
}

const SYNC_FIELDS = {
  cluster: TYPE_URL.CDS,
  listener: TYPE_URL.LDS,
  route: TYPE_URL.RDS,
  endpoint: TYPE_URL.EDS,
  extensionconfig: TYPE_URL.ECDS,
} as const

function syncStatus({ node, types }: ConnectionStatus, clusterId: string): Record<string, unknown> {
  const [proxyType, , proxy] = node.id.split('~')
  const nonces = Object.entries(SYNC_FIELDS).flatMap(([field, typeUrl]) => {
    const type = types.find((candidate) => candidate.typeUrl === typeUrl)
    return type ? [[`${field}_sent`, type.nonceSent] as const, [`${field}_acked`, type.nonceAcked] as const] : []
  })
  return {
    cluster_id: textOf(node.metadata.CLUSTER_ID) || clusterId,
    proxy: proxy ?? node.id,
    proxy_type: proxyType,
    istio_version: textOf(node.metadata.ISTIO_VERSION),
    ...Object.fromEntries(nonces.filter(([, nonce]) => nonce !== '')),
    types: types.map(({ typeUrl, state, sentAt, answeredAt, error }) => ({
      type_url: typeUrl,
      state,
      ...timeOf('sent_at', sentAt),
      ...timeOf('answered_at', answeredAt),
      ...(error ? { error } : {}),
    })),
  }
}

const timeOf = (name: string, milliseconds: number): Record<string, string> =>
  milliseconds > 0 ? { [name]: new Date(milliseconds).toISOString() } : {}

function clients(connections: readonly ConnectionStatus[]): unknown {
  return {
    totalClients: connections.length,
    clients: connections.map((connection) => ({
      connectionId: connection.id,
      connectedAt: new Date(connection.connectedAt).toISOString(),
      address: connection.address,
      identities: connection.identities,
      labels: connection.node.metadata.LABELS,
      metadata: connection.node.metadata,
      watches: Object.fromEntries(
        connection.types.map(({ typeUrl, subscribed, state, error }) => [typeUrl, { subscribed, state, ...(error ? { error } : {}) }]),
      ),
    })),
  }
}

const isConfig = ({ apiVersion, kind }: KubeObject): boolean =>
  apiVersion.includes('.istio.io/') || apiVersion.startsWith('gateway.networking.k8s.io/') || kind === 'Ingress'
const isService = ({ kind }: KubeObject): boolean => kind === 'Service' || kind === 'ServiceEntry'
const isEndpoints = ({ kind }: KubeObject): boolean => kind === 'EndpointSlice' || kind === 'WorkloadEntry'
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
