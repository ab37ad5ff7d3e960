/** `--xds-address`: the control plane is asked over xDS, and nothing of the cluster when it is plaintext. */
import { createXdsServer, type Question, SessionRefused } from '@lateen/xds'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../testdata/fake-api.ts'
import { PRODUCT_VERSION } from '../product.ts'

const asked: Question[] = []
const server = createXdsServer({
  source: {
    open: () => {
      throw new Error('questions open no session')
    },
    rejected: () => undefined,
    accepted: () => undefined,
  },
  inquiries: {
    takes: (typeUrl) => typeUrl === 'istio.io/debug',
    answer: (question) => {
      asked.push(question)
      if (question.names[0] === 'configz') return Promise.reject(new SessionRefused('not for you'))
      const body = question.names[0] === 'syncz' ? SYNC : '["syncz"]'
      return Promise.resolve([{ name: question.names[0] ?? '', typeUrl: 'istio.io/debug', bytes: Buffer.from(body) }])
    },
  },
  identifier: JSON.stringify({ Component: 'istiod', ID: 'istiod-7', Info: { version: '1.30.2' } }),
})
const SYNC = JSON.stringify([
  {
    cluster_id: 'west',
    proxy: 'a.b',
    istio_version: '1.30.3',
    resources: { 'type.googleapis.com/envoy.config.cluster.v3.Cluster': { sent: 'x', acked: 'x' } },
  },
])

let api: FakeApi
let address = ''

beforeAll(async () => {
  api = await startFakeApi()
  address = `127.0.0.1:${(await server.start({ address: '127.0.0.1:0' })).port}`
})
afterAll(async () => {
  await server.close({ graceMs: 0 })
  await api.close()
})

const over = (...argv: string[]) => api.shell(...argv, '--xds-address', address, '--plaintext')

test('a page comes as it is, a table as from the cluster, with the name of who answered', async () => {
  expect(JSON.parse((await over('x', 'internal-debug', 'list')).stdout)).toEqual(['syncz'])
  const { stdout } = await over('proxy-status')
  expect(stdout.split('\n').map((line) => line.split(/ {2,}/))[1]).toEqual(['a.b', 'west', 'istiod-7', '1.30.3', '1 (CDS)'])
  expect(asked.map(({ names }) => names)).toEqual([['list'], ['syncz']])
  expect(api.requests).toEqual([])
})

test('versions are told without a cluster', async () => {
  expect((await over('x', 'version')).stdout).toBe(
    `client version: ${PRODUCT_VERSION}\ncontrol plane version: 1.30.2\ndata plane version: 1.30.3 (1 proxy)\n`,
  )
  expect(api.requests).toEqual([])
})

test('a refusal, an address where nobody is, and a label that says nothing are told in one line', async () => {
  const refused = await over('x', 'internal-debug', 'configz')
  expect(refused).toMatchObject({ code: 1, stderr: `Error: the control plane at ${address} did not answer: not for you\n` })
  const nobody = await api.shell('x', 'internal-debug', 'list', '--xds-address', '127.0.0.1:1', '--plaintext', '--timeout', '2s')
  expect(nobody.stderr).toMatch(/^Error: the control plane at 127\.0\.0\.1:1 did not answer: .*\n$/)
  const label = await api.shell('x', 'internal-debug', 'list', '--xds-label', 'app=istiod')
  expect(label).toMatchObject({ code: 64, stderr: expect.stringContaining('istio.io/rev=REVISION') })
})
