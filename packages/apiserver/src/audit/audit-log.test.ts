import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startApiServer } from '../server.ts'
import { AuditLog } from './audit-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-audit-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

test('each request over the network is recorded with who asked, what for, by which right, and the answer; no body and no token', async () => {
  const path = join(folder, 'audit.log')
  const server = await startApiServer({
    dataDir: join(folder, 'data'),
    listen: [{ path: join(folder, 'api.sock') }],
    serviceCidr: '10.96.0.0/16',
    nodePortRange: '30000-32767',
    extraSans: [],
    crds: [],
    resolveService: () => Promise.reject(new Error('there are no Services')),
    audit: { path },
  })
  const { request } = await import('node:https')
  const ask = (method: string, target: string, token: string, body?: object, as?: string) =>
    new Promise<number>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'user-agent': 'test/1',
        ...(as && { 'impersonate-user': as }),
      }
      const options = { socketPath: join(folder, 'api.sock'), method, path: target, headers, rejectUnauthorized: false }
      request(options, (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
      })
        .on('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body))
    })
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, stringData: { key: 'not-to-be-told' } }
  expect(await ask('POST', '/api/v1/namespaces/default/secrets', server.adminToken, secret)).toBe(201)
  expect(await ask('GET', '/apis/apps/v1/namespaces/default/deployments?limit=5', server.adminToken)).toBe(200)
  expect(await ask('GET', '/apis/apps/v1/deployments/x', server.adminToken)).toBe(404)
  expect(await ask('GET', '/api/v1/nodes', server.adminToken, undefined, 'somebody')).toBe(403)
  await server.localClient().request('GET', '/version')
  await server.close()

  const [created, listed, missing, impersonated, ...more] = linesOf(path)
  expect(created).toMatchObject({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    verb: 'create',
    user: { username: 'admin' },
    userAgent: 'test/1',
    objectRef: { resource: 'secrets', namespace: 'default', apiVersion: 'v1' },
    responseStatus: { code: 201 },
    annotations: { 'authorization.k8s.io/decision': 'allow' },
  })
  expect(listed).toMatchObject({ verb: 'list', objectRef: { apiGroup: 'apps', resource: 'deployments' }, responseStatus: { code: 200 } })
  expect(missing).toMatchObject({ verb: 'get', responseStatus: { code: 404 } })
  expect(impersonated).toMatchObject({
    user: { username: 'admin' },
    impersonatedUser: { username: 'somebody' },
    responseStatus: { code: 403 },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  })
  expect(more).toEqual([])
  const text = readFileSync(path, 'utf8')
  for (const hidden of ['not-to-be-told', server.adminToken]) expect(text).not.toContain(hidden)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a file that is full is kept beside a new one', () => {
  const path = join(folder, 'small.log')
  const log = new AuditLog({ path, maxBytes: 1_500 })
  const request = {
    method: 'GET',
    path: '/api/v1/pods',
    query: new URLSearchParams(),
    header: () => undefined,
    body: undefined,
    user: { name: 'somebody', groups: [] },
    signal: AbortSignal.timeout(1_000),
  }
  const attributes = { verb: 'list', group: '', version: 'v1', resource: 'pods', subresource: '', namespace: '', name: '', path: undefined }
  const at = new Date(0)
  for (let i = 0; i < 4; i++)
    log.record({ request, attributes, verdict: { allowed: true, reason: '' }, code: 200, received: at, answered: at })
  log.close()
  expect(statSync(path).size).toBeLessThanOrEqual(1_500)
  expect(linesOf(`${path}.1`).length + linesOf(path).length).toBe(4)
  expect(linesOf(path)[0]).toMatchObject({ verb: 'list', objectRef: { resource: 'pods' } })
})
