import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { KubeObject, ResourceType } from '@lateen/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiServer, startApiServer } from './index.ts'
import { makeAuthority, makeServing } from './tls/certificates.ts'
import { type Obj, obj, objs, str } from './values.ts'

let dir: string
let server: ApiServer
let port: number
let hookPort = 0
const CONFIG_MAP: ResourceType = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true }

const start = () =>
  startApiServer({
    dataDir: join(dir, 'data'),
    listen: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: ['example.test'],
    crds: [],
    resolveService: async () => ({ host: '127.0.0.1', port: hookPort }),
  })

const portOf = (of: ApiServer) => {
  const address = of.addresses[0]
  return typeof address === 'object' ? address.port : 0
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'apiserver-'))
  server = await start()
  port = portOf(server)
})
afterAll(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})

interface Answer {
  status: number
  body: Obj
  text: string
  headers: NodeJS.Dict<string | string[]>
}

function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  token: string | undefined = server.adminToken,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        ca: server.caPem,
        headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        response.on('end', () => {
          let parsed: unknown
          try {
            parsed = JSON.parse(text)
          } catch {
            parsed = {}
          }
          resolve({ status: response.statusCode ?? 0, body: obj(parsed), text, headers: response.headers })
        })
      },
    )
    request.on('error', reject)
    request.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
  })
}

/** Opens a watch; `next` gives its events one by one. */
function watch(path: string): { next: () => Promise<Obj>; close: () => void } {
  const events: Obj[] = []
  let wake: () => void = () => undefined
  let rest = ''
  const request = httpsRequest(
    { host: '127.0.0.1', port, path, ca: server.caPem, headers: { authorization: `Bearer ${server.adminToken}` } },
    (response) => {
      response.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n')
        rest = lines.pop() ?? ''
        events.push(...lines.map((line) => obj(JSON.parse(line))))
        wake()
      })
      response.on('error', () => undefined)
    },
  )
  request.on('error', () => undefined)
  request.end()
  return {
    next: async () => {
      for (;;) {
        const event = events.shift()
        if (event) return event
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    close: () => request.destroy(),
  }
}

const nameOf = (event: Obj) => str(obj(obj(event['object'])['metadata'])['name'])
const maps = '/api/v1/namespaces/default/configmaps'

test('without a token only health and version are open', async () => {
  for (const path of ['/healthz', '/readyz', '/livez', '/version']) expect((await call('GET', path, undefined, {}, '')).status).toBe(200)
  const refused = await call('GET', maps, undefined, {}, '')
  expect(refused).toMatchObject({
    status: 403,
    body: {
      reason: 'Forbidden',
      message:
        'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
    },
  })
  expect((await call('GET', maps, undefined, {}, 'wrong')).status).toBe(401)
})

test('bodies that are too large, too deep, or not JSON are refused', async () => {
  expect((await call('POST', maps, `{"a":"${'x'.repeat(3.2 * 1024 * 1024)}"}`)).status).toBe(413)
  expect((await call('POST', maps, `${'['.repeat(5000)}${']'.repeat(5000)}`)).body).toMatchObject({
    code: 400,
    message: expect.stringContaining('nested more than'),
  })
  expect((await call('POST', maps, '{"a":')).body).toMatchObject({ code: 400, reason: 'BadRequest' })
  expect((await call('POST', maps, '<a/>', { 'content-type': 'text/xml' })).status).toBe(415)
  expect((await call('GET', maps, undefined, { accept: 'application/vnd.kubernetes.protobuf' })).status).toBe(406)
})

test('a connection that sends no request is ended', async () => {
  const socket = connectTls({ host: '127.0.0.1', port, ca: server.caPem, servername: 'localhost', ALPNProtocols: ['http/1.1'] })
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()))
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n')
  const begun = Date.now()
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  expect(Date.now() - begun).toBeLessThan(20_000)
}, 30_000)

test('whoever opens connections without a token keeps nobody out', async () => {
  const silent = Array.from({ length: 700 }, () => connectTcp(port, '127.0.0.1').on('error', () => undefined))
  const ended = silent.map((socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())))
  await Promise.all(ended.slice(0, 150))
  expect((await call('GET', maps)).status).toBe(200)
  for (const socket of silent) socket.destroy()
  await Promise.all(ended)
})

test('HTTP/2 is served as well', async () => {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: server.caPem })
  const stream = session.request({ ':path': '/version' })
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  expect(JSON.parse(text)).toMatchObject({ major: '1' })
  await new Promise<void>((resolve) => session.close(resolve))
})

test('a watch tells additions, changes, leaving a selector, and deletions', async () => {
  const { body } = await call('GET', maps)
  const events = watch(`${maps}?watch=1&labelSelector=in%3Dyes&resourceVersion=${str(obj(body['metadata'])['resourceVersion'])}`)
  await call('POST', maps, { metadata: { name: 'w', labels: { in: 'yes' } } })
  await call('POST', maps, { metadata: { name: 'other' } })
  await call('PATCH', `${maps}/w`, { data: { a: '1' } }, { 'content-type': 'application/merge-patch+json' })
  await call('PATCH', `${maps}/w`, { metadata: { labels: { in: 'no' } } }, { 'content-type': 'application/merge-patch+json' })
  await call('PATCH', `${maps}/w`, { metadata: { labels: { in: 'yes' } } }, { 'content-type': 'application/merge-patch+json' })
  await call('DELETE', `${maps}/w`)
  const seen: unknown[] = []
  for (let i = 0; i < 5; i++) {
    const event = await events.next()
    expect(nameOf(event)).toBe('w')
    seen.push(event['type'])
  }
  expect(seen).toEqual(['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED'])
  events.close()
})

test('a streamed list ends with a marked bookmark', async () => {
  await call('POST', maps, { metadata: { name: 'listed' } })
  const events = watch(`${maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`)
  for (;;) {
    const event = await events.next()
    if (event['type'] === 'ADDED') continue
    expect(event).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    })
    break
  }
  events.close()
})

test('a watch from too old a revision says 410 inside the stream, a list of the future 504', async () => {
  const { body } = await call('POST', maps, { metadata: { name: 'busy' } })
  const first = str(obj(body['metadata'])['resourceVersion'])
  const client = server.localClient()
  for (let i = 0; i < 3100; i++) await client.patch(CONFIG_MAP, 'default', 'busy', { data: { i: String(i) } })
  const events = watch(`${maps}?watch=1&resourceVersion=${first}`)
  expect(await events.next()).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
  events.close()
  expect((await call('GET', `${maps}?resourceVersion=99999999`)).body).toMatchObject({ code: 504, reason: 'Timeout' })
})

test('pages show one moment although objects change between them', async () => {
  for (const name of ['a', 'b', 'c', 'd']) await call('POST', '/api/v1/namespaces/kube-public/configmaps', { metadata: { name } })
  const first = await call('GET', '/api/v1/namespaces/kube-public/configmaps?limit=2')
  await call('DELETE', '/api/v1/namespaces/kube-public/configmaps/d')
  await call('POST', '/api/v1/namespaces/kube-public/configmaps', { metadata: { name: 'cc' } })
  const second = await call(
    'GET',
    `/api/v1/namespaces/kube-public/configmaps?limit=2&continue=${str(obj(first.body['metadata'])['continue'])}`,
  )
  expect(objs(second.body['items']).map((o) => obj(o['metadata'])['name'])).toEqual(['c', 'd'])
  expect(obj(second.body['metadata'])['resourceVersion']).toBe(obj(first.body['metadata'])['resourceVersion'])
})

test('tokens are bound to accounts, pods and audiences', async () => {
  await call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'app' } })
  await call('POST', '/api/v1/namespaces/default/pods', {
    metadata: { name: 'app-1' },
    spec: { serviceAccountName: 'app', containers: [{ name: 'c', image: 'i' }] },
  })
  const made = await call('POST', '/api/v1/namespaces/default/serviceaccounts/app/token', {
    spec: { audiences: ['mesh'], expirationSeconds: 600, boundObjectRef: { kind: 'Pod', name: 'app-1' } },
  })
  const token = str(obj(made.body['status'])['token'])
  const review = async (audiences: string[]) =>
    obj((await call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token, audiences } })).body['status'])
  expect(await review(['mesh', 'x'])).toMatchObject({
    authenticated: true,
    audiences: ['mesh'],
    user: {
      username: 'system:serviceaccount:default:app',
      groups: expect.arrayContaining(['system:serviceaccounts:default']),
      extra: { 'authentication.kubernetes.io/pod-name': ['app-1'] },
    },
  })
  expect((await review(['other']))['authenticated']).toBe(false)
  // It is not for the API server itself.
  expect((await call('GET', maps, undefined, {}, token)).status).toBe(401)
  await call('DELETE', '/api/v1/namespaces/default/pods/app-1?gracePeriodSeconds=0')
  expect(await review(['mesh'])).toMatchObject({ authenticated: false, error: expect.stringContaining('has been deleted') })
  const keys = objs((await call('GET', '/openid/v1/jwks')).body['keys'])
  expect(keys[0]).toMatchObject({ kty: 'RSA', alg: 'RS256' })
})

test('the in-process client lists, watches and is refused like any other', async () => {
  const client = server.localClient()
  const seen: string[] = []
  const running = client.watch(
    CONFIG_MAP,
    { namespace: 'kube-system' },
    {
      replace: (objects) => void seen.push(`replace ${objects.length}`),
      set: (object: KubeObject) => void seen.push(`set ${object.metadata.name}`),
      delete: (object: KubeObject) => void seen.push(`delete ${object.metadata.name}`),
    },
  )
  await running.synced
  const made = await client.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'kube-system' } })
  await client.update(CONFIG_MAP, { ...made, data: { a: '1' } })
  await client.delete(CONFIG_MAP, 'kube-system', 'x')
  expect(seen).toEqual(['replace 0', 'set x', 'set x', 'delete x'])
  running.stop()
  expect(running.state).toBe('stopped')
  await expect(server.localClient('system:serviceaccount:default:nobody').list(CONFIG_MAP)).rejects.toMatchObject({
    code: 403,
    reason: 'Forbidden',
  })
  await expect(client.get(CONFIG_MAP, 'default', 'none')).rejects.toMatchObject({ code: 404, reason: 'NotFound' })
})

test('webhooks change and refuse objects, and their failure policy holds', async () => {
  const ca = await makeAuthority(3600_000)
  const serving = await makeServing(ca.certPem, ca.keyPem, ['hook.default.svc'], 3600_000)
  const asked: string[] = []
  const hook = createServer({ key: serving.keyPem, cert: serving.certPem }, (request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    request.on('end', () => {
      const review = obj(obj(JSON.parse(text))['request'])
      asked.push(`${request.url?.split('?')[0]} ${str(review['operation'])} ${str(review['name'])}`)
      const patch = Buffer.from(JSON.stringify([{ op: 'add', path: '/data', value: { injected: 'yes' } }])).toString('base64')
      const refuse = request.url?.startsWith('/validate') && str(review['name']) === 'refused'
      response.end(
        JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: {
            uid: review['uid'],
            allowed: !refuse,
            ...(refuse
              ? { status: { message: 'not this one', code: 422 } }
              : request.url?.startsWith('/mutate')
                ? { patchType: 'JSONPatch', patch }
                : {}),
            warnings: ['be careful'],
          },
        }),
      )
    })
  })
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
  hookPort = (hook.address() as AddressInfo).port
  const configuration = (kind: string, path: string, more: Obj = {}) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'test' },
    webhooks: [
      {
        name: 'hook.example.com',
        clientConfig: { service: { namespace: 'default', name: 'hook', path }, caBundle: Buffer.from(ca.certPem).toString('base64') },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        objectSelector: { matchLabels: { hooked: 'yes' } },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
        matchConditions: [
          { name: 'not-exempt', expression: "!has(object.metadata.annotations) || !('exempt' in object.metadata.annotations)" },
        ],
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 2,
        ...more,
      },
    ],
  })
  const hooks = '/apis/admissionregistration.k8s.io/v1'
  await call('POST', `${hooks}/mutatingwebhookconfigurations`, configuration('MutatingWebhookConfiguration', '/mutate'))
  await call('POST', `${hooks}/validatingwebhookconfigurations`, configuration('ValidatingWebhookConfiguration', '/validate'))
  const create = (name: string, labels: Obj = { hooked: 'yes' }, annotations: Obj = {}) =>
    call('POST', maps, { metadata: { name, labels, annotations } })
  expect(await create('hooked')).toMatchObject({
    status: 201,
    body: { data: { injected: 'yes' } },
    headers: { warning: expect.stringContaining('299 - "be careful"') },
  })
  expect((await create('free', {})).body['data']).toBeUndefined()
  expect((await create('exempt', { hooked: 'yes' }, { exempt: '' })).body['data']).toBeUndefined()
  expect((await create('refused')).body).toMatchObject({
    code: 422,
    message: 'admission webhook "hook.example.com" denied the request: not this one',
  })
  expect((await call('GET', `${maps}/refused`)).status).toBe(404)
  expect(asked).toEqual(['/mutate CREATE hooked', '/validate CREATE hooked', '/mutate CREATE refused', '/validate CREATE refused'])
  hook.closeAllConnections()
  await new Promise<void>((resolve) => hook.close(() => resolve()))
  expect((await create('down')).body).toMatchObject({
    code: 500,
    message: expect.stringContaining('failed calling webhook "hook.example.com"'),
  })
  for (const plural of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
    await call('PATCH', `${hooks}/${plural}/test`, [{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }], {
      'content-type': 'application/json-patch+json',
    })
  }
  expect((await create('down')).status).toBe(201)
  for (const plural of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) await call('DELETE', `${hooks}/${plural}/test`)
})

test('everything is there after a restart, tokens and certificates included', async () => {
  const token = server.adminToken
  const ca = server.caPem
  await call('POST', maps, { metadata: { name: 'kept' } })
  await server.close()
  server = await start()
  port = portOf(server)
  expect(server.adminToken).toBe(token)
  expect(server.caPem).toBe(ca)
  expect((await call('GET', `${maps}/kept`)).status).toBe(200)
})
