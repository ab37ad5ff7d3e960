/** `admin log` against ControlZ of two replicas: levels are shown of one, and changed in all. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fakeNode, makeNamespace, runPod } from '../../../testdata/fake-node.ts'
import { type RealApi, startRealApi } from '../../../testdata/real-api.ts'

interface Scope {
  output_level: string
  stack_trace_level: string
}

const node = fakeNode()
const replicas = ['istiod-1', 'istiod-2'].map((name) => ({ name, scopes: new Map<string, Scope>() }))
const servers: Server[] = []
let api: RealApi

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

/** Scopes as ControlZ serves them. */
function controlZ(scopes: Map<string, Scope>): Server {
  return createServer((request, response) => {
    void textOf(request).then((body) => {
      const [, , name] = (request.url ?? '').split('/')
      if (request.method === 'GET') {
        return response.end(
          JSON.stringify([...scopes].map(([scope, levels]) => ({ name: scope, description: `about ${scope}`, ...levels }))),
        )
      }
      const scope = scopes.get(decodeURIComponent(name ?? ''))
      if (!scope) return response.writeHead(400).end(`there is no scope "${name}"`)
      const { output_level = scope.output_level, stack_trace_level = scope.stack_trace_level }: Partial<Scope> = JSON.parse(body)
      Object.assign(scope, { output_level, stack_trace_level })
      return response.writeHead(202).end()
    })
  })
}

beforeAll(async () => {
  api = await startRealApi([], node.backend)
  await makeNamespace(api.client, 'istio-system')
  for (const [index, { name, scopes }] of replicas.entries()) {
    const server = controlZ(scopes)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const labels = { app: 'istiod', 'istio.io/rev': index === 0 ? 'default' : 'canary' }
    await runPod(api.client, { name, namespace: 'istio-system', labels, containers: ['discovery'] })
    node.pods.set(`istio-system/${name}`, { ports: { 9876: (server.address() as AddressInfo).port } })
  }
}, 60_000)

afterAll(async () => {
  for (const server of servers) server.close()
  await api.close()
}, 30_000)

beforeEach(() => {
  for (const { scopes } of replicas) {
    for (const name of ['xds', 'ads', 'my scope']) scopes.set(name, { output_level: 'info', stack_trace_level: 'none' })
  }
})

const log = (...words: string[]) => api.shell('admin', 'log', ...words)
const levels = (name: string) => replicas.map(({ scopes }) => scopes.get(name)?.output_level)

test('the scopes of one replica are shown, by name', async () => {
  expect((await log()).stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['ACTIVE SCOPE', 'DESCRIPTION', 'LOG LEVEL', 'STACK TRACE LEVEL'],
    ['ads', 'about ads', 'info', 'none'],
    ['my scope', 'about my scope', 'info', 'none'],
    ['xds', 'about xds', 'info', 'none'],
    [''],
  ])
  expect(JSON.parse((await log('-o', 'json')).stdout)[0]).toEqual({
    scope_name: 'ads',
    log_level: 'info',
    stack_trace_level: 'none',
    description: 'about ads',
  })
})

test('levels are set in every replica, in those of a revision, or in the one that is named', async () => {
  expect(await log('--level', 'ads:debug,my scope:warn')).toEqual({ code: 0, stdout: '', stderr: '' })
  expect([levels('ads'), levels('my scope'), levels('xds')]).toEqual([
    ['debug', 'debug'],
    ['warn', 'warn'],
    ['info', 'info'],
  ])
  await log('--level', 'xds:error', '-r', 'canary')
  expect(levels('xds')).toEqual(['info', 'error'])
  await log('istiod-1', '--level', 'xds:none')
  expect(levels('xds')).toEqual(['none', 'error'])
})

test('a reset sets all back, of log levels, of stack traces, or of both', async () => {
  await log('--level', 'ads:debug', '--stack-trace-level', 'ads:error')
  await log('--log-reset')
  expect(replicas[0]?.scopes.get('ads')).toEqual({ output_level: 'info', stack_trace_level: 'error' })
  await log('--stack-trace-reset')
  expect(replicas[0]?.scopes.get('ads')).toEqual({ output_level: 'info', stack_trace_level: 'none' })
  await log('--level', 'ads:debug', '--stack-trace-level', 'ads:error')
  await log('--reset')
  expect(replicas[1]?.scopes.get('ads')).toEqual({ output_level: 'info', stack_trace_level: 'none' })
})

test.each([
  [['--level', 'ads:loud'], 64, '--level ads:loud: SCOPE:LEVEL is wanted, with levels none, error, warn, info, debug'],
  [['--level', 'debug'], 64, 'SCOPE:LEVEL is wanted'],
  [['--level', 'ads:debug', '--reset'], 64, '--level excludes --reset'],
  [['--stack-trace-level', 'ads:debug', '--stack-trace-reset'], 64, '--stack-trace-level excludes --reset'],
  [['--level', 'none:debug'], 1, 'there is no scope "none"'],
  [['-r', 'gone'], 1, 'no control plane runs in namespace istio-system with revision gone'],
  [['nobody'], 1, 'there is no pod "nobody" in namespace "istio-system"'],
  [['--ctrlz_port', '9877'], 1, 'port 9877'],
])('%j is told', async (words, code, message) => {
  expect(await log(...words)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) })
})
