/**
 * The xDS server over a synthetic mesh, as a process of its own, and as much of a Kubernetes API as the load generator needs to
 * make its changes. Prints one line of JSON with the ports when both listen.
 */
import { createServer, type IncomingMessage } from 'node:http'
import { createXdsServer } from '@lateen/xds'
import { SyntheticMesh } from './synthetic-mesh.ts'

const mesh = new SyntheticMesh({ services: Number(process.env['SERVICES'] ?? 1000), endpoints: 3, namespaces: 20 })
const xds = createXdsServer({ source: mesh })
const { port } = await xds.start({ address: '127.0.0.1:0' })

const api = createServer((request, response) => {
  void body(request).then((text) => {
    if (request.method !== 'DELETE') change(request.url ?? '', text)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    mesh.publish()
  })
})
api.listen(0, '127.0.0.1', () => {
  const address = api.address()
  process.stdout.write(`${JSON.stringify({ xds: port, api: typeof address === 'object' ? address?.port : 0 })}\n`)
})

process.on('SIGTERM', () => {
  api.close()
  api.closeAllConnections()
  void xds.close({ graceMs: 500 }).then(() => process.exit(0))
})

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function change(path: string, text: string): void {
  const [, namespace = '', kind = '', name = ''] = /\/namespaces\/([^/]+)\/([^/]+)\/?([^/]*)/.exec(path) ?? []
  if (kind === 'endpointslices') mesh.setEndpoints(name.replace(/-\d+$/, ''), namespace, matches(text, /"(\d+\.\d+\.\d+\.\d+)"/g))
  else if (kind === 'virtualservices')
    mesh.setHeader(matches(text, /"hosts":\["([^"]+)"/g)[0] ?? '', matches(text, /"x-bench":"([^"]+)"/g)[0] ?? '')
  else if (kind === 'destinationrules') {
    mesh.addSubset(matches(text, /"host":"([^"]+)"/g)[0] ?? '', matches(text, /"name":"(s[^"]+)"/g)[0] ?? '')
  } else if (kind === 'services') mesh.addService(matches(text, /"name":"(new-[^"]+)"/g)[0] ?? '', namespace, [])
}

function matches(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), (match) => match[1] ?? '')
}
