/**
 * Debug pages over the discovery protocol, as istioctl asks for them: `istio.io/debug` with the page as the resource name
 * (`config_dump?proxyID=cart.shop`), and the two types that it needs as messages, `istio.io/debug/syncz` and `…/config_dump`.
 */
import { parseIdentity } from '@lateen/ca'
import { type AnswerPart, type Inquiries, type PeerIdentity, type Question, SessionRefused } from '@lateen/xds'
import { CLIENT_CONFIG_TYPE, clientConfig } from './client-status.ts'
import { configDump } from './config-dump.ts'
import { connectionsOf, proxyName } from './connection-pages.ts'
import type { Access } from './debug-access.ts'
import type { DebugContext } from './debug-context.ts'
import { debugPage } from './debug-pages.ts'

const PAGE = 'istio.io/debug'
const SYNC = `${PAGE}/syncz`
const DUMP = `${PAGE}/config_dump`

export interface DebugInquiryOptions {
  readonly context: DebugContext
  /** Namespaces whose service accounts see everything; others see their own proxies. */
  readonly namespaces: readonly string[]
}

export function debugInquiries({ context, namespaces }: DebugInquiryOptions): Inquiries {
  return {
    takes: (typeUrl) => typeUrl === PAGE || typeUrl.startsWith(`${PAGE}/`),
    answer: async (question) => {
      const access = accessOf(question.peer, namespaces)
      switch (question.typeUrl) {
        case SYNC:
          return syncAnswer(context, access)
        case DUMP:
          return dumpAnswer(context, access, question)
        default:
          return pageAnswer(context, access, question)
      }
    },
  }
}

/** @throws SessionRefused when nobody is proven to be there */
function accessOf({ identities }: PeerIdentity, namespaces: readonly string[]): Access & { readonly scope: string } {
  const namespace = identities.map((identity) => parseIdentity(identity)?.namespace).find((found) => found !== undefined)
  if (namespace === undefined)
    throw new SessionRefused('debug pages need a proven identity: connect over TLS, with a token or a certificate')
  return namespaces.includes(namespace) ? { scope: 'all' } : { scope: 'namespace', namespace }
}

function syncAnswer(context: DebugContext, access: Access): AnswerPart[] {
  if (!('scope' in access) || access.scope !== 'all') throw new SessionRefused('the state of all proxies is for the control plane only')
  return connectionsOf(context, null).map((connection) => ({
    name: proxyName(connection),
    typeUrl: CLIENT_CONFIG_TYPE,
    bytes: clientConfig(connection, context.clusterId),
  }))
}

/** Nothing for a proxy of another replica: the client asks the next. */
function dumpAnswer(context: DebugContext, access: Access, { names }: Question): AnswerPart[] {
  const [proxy = ''] = names
  if ('scope' in access && access.scope === 'namespace' && !proxy.endsWith(`.${access.namespace}`)) {
    throw new SessionRefused(`service accounts of namespace ${access.namespace} may see proxies of that namespace only`)
  }
  const session = context.find(proxy)
  if (!session) return []
  return configDump(session).map(({ typeUrl, value }) => ({ name: proxy, typeUrl, bytes: value }))
}

async function pageAnswer(context: DebugContext, access: Access, { typeUrl, names }: Question): Promise<AnswerPart[]> {
  const name = typeUrl === PAGE ? names[0] : typeUrl.slice(PAGE.length + 1)
  if (!name || names.length > 1) throw new SessionRefused('name one debug page, such as "syncz"; "list" names all')
  const url = URL.parse(name, 'http://debug/')
  if (!url) throw new SessionRefused(`"${name.slice(0, 100)}" is the name of no debug page`)
  const { status, body } = await debugPage(context, access, { name: url.pathname.slice(1), query: url.searchParams })
  if (status === 403) throw new SessionRefused(body.trim())
  return [{ name, typeUrl: PAGE, bytes: Buffer.from(body) }]
}
