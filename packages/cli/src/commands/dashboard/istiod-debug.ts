/**
 * `dashboard istiod-debug`: the debug pages of the control plane in a browser. The pages want a token that only the control plane's
 * own pod has, so that a small server here asks its program inside the pod for each page.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Cluster, connect } from '../../cluster/connect.ts'
import { askIstiods, findIstiods } from '../../cluster/istiod.ts'
import { listenLocally } from '../../cluster/pod-ports.ts'
import { type Context, command } from '../../shell/command.ts'
import { aborted, announce, DASHBOARD_FLAGS, portChoices, urlOf } from './open.ts'

const OWN_PORT = 15_014

export const istiodDebug = command<string>({
  endsItself: true,
  help: 'Opens the debug pages of the control plane, until Ctrl-C.',
  flags: [{ name: 'revision', short: 'r', value: 'REVISION', help: 'of the control plane of this revision' }, ...DASHBOARD_FLAGS],
  examples: ['lateen dashboard istiod-debug', 'lateen dashboard istiod-debug --browser=false --port 8090'],
  run: async (context) => pages(context),
})

async function* pages(context: Context): AsyncGenerator<string> {
  const cluster = connect(context)
  const { flags, signal } = context
  const revision = flags.text('revision') || undefined
  const address = flags.text('address') ?? 'localhost'
  const server = createServer({ maxHeaderSize: 16 << 10 }, (request, response) => void answer(cluster, revision, request, response))
  try {
    // Nobody wants a page that says that there is nothing.
    await findIstiods(cluster, revision)
    const port = await listenLocally(server, address, portChoices(flags, OWN_PORT))
    yield* announce(context, urlOf(address, port, '/debug'))
    await aborted(signal)
  } finally {
    server.close()
    server.closeAllConnections()
    cluster.client.close()
  }
}

async function answer(cluster: Cluster, revision: string | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = (status: number, body: string, type: string) =>
    response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body)
  const path = request.url ?? '/'
  // A name of somebody else's that leads to this address must not read the pages.
  if (!/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(request.headers.host ?? '') || request.headers.origin)
    return void reply(403, 'use the address localhost\n', 'text/plain')
  if (request.method !== 'GET') return void reply(405, 'only GET is answered here\n', 'text/plain')
  if (path === '/') return void response.writeHead(302, { location: '/debug' }).end()
  try {
    const { answers } = await askIstiods(cluster, path, revision)
    const body = answers[0]?.body ?? ''
    if (path === '/debug') reply(200, index(body), 'text/html; charset=utf-8')
    else reply(200, body, /^\s*[[{]/.test(body) ? 'application/json' : 'text/plain; charset=utf-8')
  } catch (error) {
    reply(502, `${error instanceof Error ? error.message : String(error)}\n`, 'text/plain; charset=utf-8')
  }
}

/** The control plane's own list of pages, with links. */
export function index(text: string): string {
  const lines = text.split('\n').map((line) => escaped(line).replace(/^(\/debug\/\w+)/, '<a href="$1">$1</a>'))
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Debug pages</title><pre>${lines.join('\n')}</pre></html>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '')
