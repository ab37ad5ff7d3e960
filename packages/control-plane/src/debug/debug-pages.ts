/** The debug pages under `/debug/`, in the shapes that istioctl and dashboards read; over HTTP here, over xDS in `debug-over-xds.ts`. */
import { logLevel, logScopes, ownValue } from '@lateen/base'
import { TYPE_URL } from '@lateen/envoy'
import { type HttpReply, type HttpRequest, jsonReply } from '../http/http-server.ts'
import { VERSION } from '../version.ts'
import type { OpenSession } from '../xds/mesh-source.ts'
import { configDump, dumpAsJson, typeDump } from './config-dump.ts'
import {
  authorizationz,
  clusterz,
  configz,
  diagnosticz,
  networkz,
  pushcontext,
  pushStatus,
  resourcesz,
  telemetryz,
} from './configuration-pages.ts'
import { adsz, configDistribution, connections, instancesz, syncz } from './connection-pages.ts'
import type { Access, DebugAccess } from './debug-access.ts'
import type { DebugContext } from './debug-context.ts'
import { endpointShardz, registryz } from './registry-pages.ts'
import { cachez } from './resource-sizes.ts'

interface Page {
  readonly help: string
  /** A page about one proxy may be seen by the proxy's own namespace. */
  readonly proxy?: boolean
  readonly render: (context: DebugContext, query: URLSearchParams) => HttpReply | Promise<HttpReply>
}

type Answer = (context: DebugContext, query: URLSearchParams) => unknown

const json = (help: string, answer: Answer): Page => ({ help, render: (context, query) => jsonReply(answer(context, query)) })

function dump(help: string, of: (session: OpenSession, query: URLSearchParams) => ReturnType<typeof configDump>): Page {
  return { help: `${help}; needs ?proxyID=`, proxy: true, render: (context, query) => aboutProxy(context, query, of) }
}

const PAGES: Readonly<Record<string, Page>> = {
  adsz: json('connected proxies, what they said of themselves and subscribe to', adsz),
  authorizationz: json('authorization policies by namespace', authorizationz),
  cachez: json('resources by type; ?sizes=true: the bytes that they take', cachez),
  certificatez: json('workloads that ask for a certificate and get none, and why', ({ unserved }) => unserved()),
  clusterz: json('clusters whose services are in the mesh', clusterz),
  config_distribution: json('which proxies have an object: ?resource=GROUP/KIND/NAMESPACE/NAME', configDistribution),
  config_dump: dump('resources of a proxy', (session, query) => requested(session, query)),
  configz: json('configuration objects', configz),
  connections: json('connected proxies', connections),
  diagnosticz: json('what is wrong with the configuration', diagnosticz),
  ecdsz: dump('extensions sent to a proxy', (session) => typeDump(session, TYPE_URL.ECDS)),
  edsz: dump('endpoints sent to a proxy', (session) => typeDump(session, TYPE_URL.EDS)),
  endpointShardz: json('endpoints of services', endpointShardz),
  endpointz: json('the same as endpointShardz', endpointShardz),
  inject: json('templates of injection', ({ templates }) => templates()),
  instancesz: json("services' ports that each proxy serves", instancesz),
  mesh: json('mesh configuration', ({ mesh }) => mesh().mesh),
  ndsz: dump('DNS names sent to a proxy', (session) => typeDump(session, TYPE_URL.NDS)),
  networkz: json('gateways between networks', networkz),
  push_status: json('what is wrong with the configuration, by code', pushStatus),
  pushcontext: json('what all proxies share', pushcontext),
  registryz: json('services', registryz),
  resourcesz: json('kinds that are watched', resourcesz),
  scopez: json('log scopes and their levels', () => logScopes().map((name) => ({ name, output_level: logLevel(name) }))),
  sourcez: json('state of each source of configuration', ({ source }) => source().status()),
  syncz: json('what each proxy was sent and has taken', syncz),
  telemetryz: json('Telemetry objects by namespace', telemetryz),
  list: json('names of these pages', () => pageNames()),
}

const pageNames = (): string[] =>
  Object.keys(PAGES)
    .filter((name) => name !== 'list')
    .sort()

/** Answers `/debug` and everything below. */
export async function serveDebug(context: DebugContext, access: DebugAccess, request: HttpRequest): Promise<HttpReply> {
  const refused = crossOrigin(request)
  if (refused) return { status: 403, body: `${refused}\n` }
  const granted = await access.check(request.headers.authorization)
  if ('refused' in granted) return { status: 401, body: `debug pages need a token: ${granted.refused}\n` }
  const name = request.url.pathname.replace(/^\/debug\/?/, '')
  return name === '' ? { status: 200, body: index() } : debugPage(context, granted, { name, query: request.url.searchParams })
}

/** The page of a name, for a caller whose rights are known. */
export async function debugPage(
  context: DebugContext,
  access: Access,
  { name, query }: { readonly name: string; readonly query: URLSearchParams },
): Promise<HttpReply> {
  const page = Object.hasOwn(PAGES, name) ? PAGES[name] : undefined
  if (!page) return { status: 404, body: `there is no debug page "${name.slice(0, 100)}"\n\n${index()}` }
  const forbidden = forbiddenBy(access, page, query)
  return forbidden ? { status: 403, body: `${forbidden}\n` } : page.render(context, query)
}

function index(): string {
  return `Debug pages of control plane ${VERSION}\n\n${Object.entries(PAGES)
    .map(([name, { help }]) => `/debug/${name.padEnd(20)} ${help}`)
    .join('\n')}\n`
}

/** A page in a browser may not use the rights of whoever looks at it. */
function crossOrigin({ headers }: HttpRequest): string | undefined {
  return headers.origin ? 'requests of web pages are not answered here' : undefined
}

/** Why a caller may not see a page; undefined when it may. */
function forbiddenBy(access: Access, page: Page, query: URLSearchParams): string | undefined {
  if ('refused' in access) return access.refused
  if (access.scope === 'all') return undefined
  const proxy = query.get('proxyID') ?? ''
  const workload = proxy.split('~')[2] ?? proxy
  if (page.proxy && workload.endsWith(`.${access.namespace}`)) return undefined
  return `service accounts of namespace ${access.namespace} may see pages about proxies of that namespace only`
}

async function aboutProxy(
  context: DebugContext,
  query: URLSearchParams,
  of: (session: OpenSession, query: URLSearchParams) => ReturnType<typeof configDump>,
): Promise<HttpReply> {
  const proxyId = query.get('proxyID')
  if (!proxyId) return { status: 400, body: 'give the proxy as ?proxyID=<pod>.<namespace>\n' }
  const session = context.find(proxyId)
  if (!session) return { status: 404, body: `no proxy "${proxyId.slice(0, 200)}" is connected to this replica\n` }
  return jsonReply(await dumpAsJson(of(session, query)))
}

const SHORT_TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(TYPE_URL).map(([name, url]) => [name.toLowerCase(), url]),
)

/** `?types=cds,eds`: resources of these types alone; else the whole dump, with endpoints when `?include_eds` is there. */
function requested(session: OpenSession, query: URLSearchParams): ReturnType<typeof configDump> {
  const types = (query.get('types') ?? '').split(',').filter((type) => type !== '')
  if (types.length === 0) return configDump(session, { endpoints: query.has('include_eds') })
  return types.flatMap((type) => typeDump(session, ownValue(SHORT_TYPES, type.toLowerCase()) ?? type))
}
