/** `x metrics`: what it asks Prometheus, and its columns. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../../testdata/fake-api.ts'
import { metrics, metricsOf } from './metrics.ts'

let api: FakeApi
beforeAll(async () => {
  api = await startFakeApi()
})
afterAll(() => api.close())

test('rates and quantiles are those that the servers report', async () => {
  const asked: string[] = []
  const found = await metricsOf('reviews-v1.shop', '60s', (query) => {
    asked.push(query)
    return Promise.resolve(query.startsWith('histogram') ? 12.7 : query.includes('response_code') ? 0.25 : 4)
  })
  expect(found).toEqual({ workload: 'reviews-v1.shop', totalRps: 4, errorRps: 0.25, latencies: [12.7, 12.7, 12.7] })
  expect(asked).toHaveLength(5)
  expect(
    asked.every((query) =>
      query.includes('destination_workload=~"reviews-v1.*",destination_workload_namespace=~"shop.*",reporter="destination"'),
    ),
  ).toBe(true)
  expect(asked[0]).toContain('[60s]')
})

test('columns are aligned to the right', () => {
  const text = metrics.render?.([{ workload: 'reviews-v1', totalRps: 4, errorRps: 0.25, latencies: [12.7, 20, 99] }], 'table')
  expect(text?.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['WORKLOAD', 'TOTAL RPS', 'ERROR RPS', 'P50 LATENCY', 'P90 LATENCY', 'P99 LATENCY'],
    ['reviews-v1', '4.000', '0.250', '12ms', '20ms', '99ms'],
  ])
})

test('a name that is no workload never reaches a query', async () => {
  await expect(metricsOf('a"} or vector(1)', '60s', () => Promise.resolve(0))).rejects.toThrow('is no workload')
})

test('without Prometheus, or without a workload, one line says what to do', async () => {
  const none = await api.shell('x', 'metrics', 'reviews-v1')
  expect(none).toMatchObject({ code: 1, stdout: '' })
  expect(none.stderr).toContain('no Prometheus pods found in namespace istio-system')
  expect((await api.shell('x', 'metrics')).code).toBe(64)
})
