/** From the flags of a command line to a cluster: which kubeconfig, which context, as whom. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../testdata/fake-api.ts'
import { inProcess } from '../../testdata/in-process.ts'

let api: FakeApi
let server = ''
beforeAll(async () => {
  api = await startFakeApi()
  server = /http:\/\/127\.0\.0\.1:\d+/.exec(readFileSync(join(api.folder, 'kubeconfig'), 'utf8'))?.[0] ?? ''
})
afterAll(() => api.close())
beforeEach(() => {
  api.requests.length = 0
})

/** A kubeconfig whose context, and its namespace, are called `name`. */
function kubeconfig(name: string, more: Readonly<Record<string, unknown>> = {}): string {
  const path = join(api.folder, `config-${name}`)
  const document = {
    clusters: [{ name, cluster: { server } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: name } }],
    users: [{ name, user: {} }],
    'current-context': name,
  }
  writeFileSync(path, JSON.stringify({ ...document, ...more }))
  return path
}

/** The namespace that a command about a Service asks for: it is that of the context. */
async function askedFor(env: NodeJS.ProcessEnv, ...flags: string[]): Promise<string | undefined> {
  api.requests.length = 0
  const home = join(api.folder, 'nobody')
  await inProcess(['x', 'describe', 'service', 'web', ...flags], { HOME: home, LATEEN_HOME: home, ...env })
  return /namespaces\/([^/]+)\/services\/web/.exec(api.requests.map(({ line }) => line).join('\n'))?.[1]
}

test('the kubeconfig of the flag comes before that of the environment, the context of the flag before the current one', async () => {
  const [one, two] = [kubeconfig('one'), kubeconfig('two')]
  expect(await askedFor({ KUBECONFIG: one })).toBe('one')
  expect(await askedFor({ KUBECONFIG: one }, '--kubeconfig', two)).toBe('two')
  expect(await askedFor({ KUBECONFIG: `${one}:${two}` }, '--context', 'two')).toBe('two')
  expect(await askedFor({ KUBECONFIG: one }, '-n', 'three')).toBe('three')
})

test('without either, the mesh of this machine comes before ~/.kube/config', async () => {
  const [home, mesh] = [join(api.folder, 'home'), join(api.folder, 'mesh')]
  mkdirSync(join(home, '.kube'), { recursive: true })
  writeFileSync(join(home, '.kube/config'), readFileSync(kubeconfig('own')))
  expect(await askedFor({ HOME: home })).toBe('own')
  mkdirSync(mesh)
  writeFileSync(join(mesh, 'kubeconfig'), readFileSync(kubeconfig('local')))
  expect(await askedFor({ HOME: home, LATEEN_HOME: mesh })).toBe('local')
})

test('an unknown context is told with those that there are', async () => {
  const { code, stderr } = await inProcess(['x', 'describe', 'service', 'web', '--context', 'three'], { KUBECONFIG: kubeconfig('one') })
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^Error: .*there is no context "three"; there are: one\. .*\n$/),
  })
})

test('who acts as somebody says so in each request, and needs a user for a group', async () => {
  await api.shell('tag', 'list', '--as', 'jane', '--as-group', 'dev', '--as-group', 'ops', '--as-uid', '7')
  expect(api.requests.length).toBeGreaterThan(0)
  for (const { headers } of api.requests) {
    expect(headers).toMatchObject({ 'impersonate-user': 'jane', 'impersonate-group': 'dev, ops', 'impersonate-uid': '7' })
  }
  for (const flag of ['--as-group', '--as-uid']) {
    expect(await api.shell('tag', 'list', flag, 'dev')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('need a user: --as USER'),
    })
  }
})
