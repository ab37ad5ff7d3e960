import { recordToData } from '@lateen/ca'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../testdata/fake-api.ts'

let api: FakeApi
beforeAll(async () => {
  api = await startFakeApi()
})
beforeEach(() => {
  api.answers.clear()
  api.answers.set('GET /version', { status: 200, body: { gitVersion: 'v1.33.0' } })
})
afterAll(() => api.close())

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000 + 60_000).toISOString()
const rootOf = (subject: string, days: number) => ({ fingerprint: subject, subject, expires: inDays(days) })
const own = { ...rootOf('CN=own', 900), rootsPem: '', origin: 'Secret istio-system/cacerts', signer: rootOf('CN=signer', 300) }

function noted(record: Partial<Parameters<typeof recordToData>[0]>): void {
  const metadata = { name: 'istio-ca-rotation', namespace: 'istio-system' }
  api.objects = [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: recordToData({ replicas: {}, inForce: own, ...record }) }]
}

async function found(check: string): Promise<string | undefined> {
  const { groups } = JSON.parse((await api.shell('check', '-o', 'json', '--kubeclient-timeout', '2s')).stdout)
  const results: { check: string; state: string; detail: string }[] = groups.flatMap((group: { results: unknown[] }) => group.results)
  const result = results.find((each) => each.check === check)
  return result && `${result.state} ${result.detail}`
}

test.each([
  [5, 'ok until '],
  [1, 'warning until '],
  [-1, 'error the first of them ended at '],
])('revocation lists that end in %i days', async (days, expected) => {
  noted({ inForce: { ...own, listsEnd: inDays(days) } })
  expect(await found('the revocation lists are in force')).toMatch(new RegExp(`^${expected}`))
})

test('without revocation lists nothing is said of them', async () => {
  noted({})
  expect(await found('the revocation lists are in force')).toBeUndefined()
  expect(await found('the CA of the mesh is valid')).toMatch(/^ok until .*, 900 days$/)
})

test('where another signs, its root counts, of several the one that ends first', async () => {
  noted({ outside: { name: 'the signer example.com/mesh of the Kubernetes API', roots: [rootOf('CN=a', 400), rootOf('CN=b', 10)] } })
  expect(await found('the CA of the mesh is valid')).toMatch(
    /^warning of the signer example\.com\/mesh of the Kubernetes API, until .*, 10 days$/,
  )
  expect((await api.shell('ca', 'status')).stdout).toMatch(
    /Workloads: +signed by the signer example\.com\/mesh .*\nTheir root: +CN=a, .*\nTheir root: +CN=b, .*replace it soon\)\nOwn CA: /,
  )
  noted({ outside: { name: 'another server', roots: [] } })
  expect(await found('the CA of the mesh is valid')).toBe('ok another server signs for workloads; its root is not known here')
})
