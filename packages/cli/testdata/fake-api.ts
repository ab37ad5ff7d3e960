/** An API server that knows a few objects, for commands: lists and gets by path, refusals by path, and the shell that asks it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RESOURCE_TYPES, type KubeObject } from '@lateen/api'
import { apiVersionOf, resourcePath } from '@lateen/kube'
import { TREE } from '../src/commands/tree.ts'
import { runShell } from '../src/shell/shell.ts'

export interface FakeApi {
  readonly folder: string
  /** Objects of these replace what was there. */
  objects: readonly KubeObject[]
  /** Answers by `METHOD path`, before objects are looked at. */
  readonly answers: Map<string, { readonly status: number; readonly body: unknown }>
  /** `METHOD path` of every request, with the body that came. */
  readonly requests: { readonly line: string; readonly body: unknown; readonly headers: IncomingHttpHeaders }[]
  /** Runs one command line against it. */
  shell(...argv: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
  close(): Promise<void>
}

export async function startFakeApi(): Promise<FakeApi> {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-cli-'))
  const api: FakeApi = {
    folder,
    objects: [],
    answers: new Map(),
    requests: [],
    shell: (...argv) => runIn(folder, argv),
    close: async () => {
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api')
      const line = `${request.method} ${pathname}`
      api.requests.push({ line, body, headers: request.headers })
      const { status, body: answer } = api.answers.get(line) ?? (request.method === 'POST' ? { status: 201, body } : found(selected(api.objects, searchParams), pathname))
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
      response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''
  writeFileSync(
    join(folder, 'kubeconfig'),
    JSON.stringify({
      'current-context': 'x',
      clusters: [{ name: 'x', cluster: { server: url } }],
      contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      users: [{ name: 'x', user: {} }],
    }),
  )
  return api
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  return text === '' ? undefined : JSON.parse(text)
}

const TYPES = Object.values(RESOURCE_TYPES)

/** `?labelSelector=app=cart,istio.io/rev` */
function selected(objects: readonly KubeObject[], query: URLSearchParams): readonly KubeObject[] {
  const wanted = (query.get('labelSelector') ?? '').split(',').filter((part) => part !== '')
  return objects.filter(({ metadata: { labels = {} } }) =>
    wanted.every((part) => {
      const [key = '', value] = part.split('=')
      return value === undefined ? Object.hasOwn(labels, key) : labels[key] === value
    }),
  )
}

function found(objects: readonly KubeObject[], path: string): { status: number; body: unknown } {
  for (const type of TYPES) {
    const own = objects.filter(({ kind, apiVersion }) => kind === type.kind && apiVersion === apiVersionOf(type))
    const object = own.find(({ metadata }) => resourcePath(type, { ...(metadata.namespace && { namespace: metadata.namespace }), name: metadata.name }) === path)
    if (object) return { status: 200, body: object }
    const namespaces = new Set([undefined, ...own.map(({ metadata }) => metadata.namespace)])
    for (const namespace of namespaces) {
      if (resourcePath(type, namespace ? { namespace } : {}) !== path) continue
      const items = own.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
      return { status: 200, body: { kind: `${type.kind}List`, apiVersion: apiVersionOf(type), metadata: {}, items } }
    }
  }
  const isList = TYPES.some(({ plural }) => path.endsWith(`/${plural}`))
  if (isList) return { status: 200, body: { kind: 'List', apiVersion: 'v1', metadata: {}, items: [] } }
  return { status: 404, body: refusal(404, 'NotFound', `${path} not found`) }
}

/** A Status object, as API servers refuse with. */
export const refusal = (code: number, reason: string, message: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason,
  message,
  code,
})

async function runIn(folder: string, argv: readonly string[]) {
  let stdout = ''
  let stderr = ''
  const streams = { stdout: { write: (text: string) => void (stdout += text) }, stderr: { write: (text: string) => void (stderr += text) } }
  const env = { KUBECONFIG: join(folder, 'kubeconfig'), LATEEN_HOME: join(folder, 'home') }
  const code = await runShell(argv, { tree: TREE, foreign: [], env, streams, signal: new AbortController().signal })
  return { code, stdout, stderr }
}
