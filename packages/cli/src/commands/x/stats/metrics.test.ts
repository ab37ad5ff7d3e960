/** `x metrics`: what it asks Prometheus, and its columns. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from '../../../../testdata/fake-api.ts'
import { metrics, metricsOf, workloadOf } from './metrics.ts'
import { ratesBetween, readCounters } from './proxy-counters.ts'

let api: FakeApi
beforeAll(async () => {
  api = await startFakeApi()
})
afterAll(() => api.close())

test('rates and quantiles are those that the servers report', async () => {
  const asked: string[] = []
  const found = await metricsOf(workloadOf('reviews-v1.shop'), '60s', (query) => {
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

test('a name that is no workload never reaches a query', () => {
  expect(() => workloadOf('a"} or vector(1)')).toThrow('is no workload')
})

const page = (requests: number, errors: number, fast: number) => `# TYPE istio_requests_total counter
istio_requests_total{reporter="destination",destination_workload="reviews-v1",response_code="200",request_url="/a \\"b\\" {x}"} ${requests}
istio_requests_total{reporter="destination",destination_workload="reviews-v1",response_code="503"} ${errors}
istio_requests_total{reporter="source",destination_workload="reviews-v1",response_code="200"} 9999
istio_requests_total{reporter="destination",destination_workload="ratings-v1",response_code="200"} 9999
istio_request_duration_milliseconds_bucket{reporter="destination",destination_workload="reviews-v1",le="10"} ${fast}
istio_request_duration_milliseconds_bucket{reporter="destination",destination_workload="reviews-v1",le="50"} ${requests + errors}
istio_request_duration_milliseconds_bucket{reporter="destination",destination_workload="reviews-v1",le="+Inf"} ${requests + errors}
istio_requests_total{reporter="destination",destination_wor`

test('without Prometheus, rates follow from what the proxies counted in between', () => {
  const before = readCounters([page(100, 10, 60), page(0, 0, 0)], 'reviews-v1')
  const after = readCounters([page(140, 20, 85), page(50, 0, 25)], 'reviews-v1')
  expect(before).toMatchObject({ requests: 110, errors: 10, isReported: true })
  expect(readCounters(['# nothing'], 'reviews-v1').isReported).toBe(false)
  const { totalRps, errorRps, latencies } = ratesBetween(before, after, { seconds: 5, quantiles: [0.5, 0.99, 1] })
  expect({ totalRps, errorRps }).toEqual({ totalRps: 20, errorRps: 2 })
  expect(latencies.map(Math.round)).toEqual([10, 49, 50])
})

test('nothing that came in, and a proxy that started anew, are no negative numbers', () => {
  const [some, none] = [readCounters([page(5, 0, 5)], 'reviews-v1'), readCounters([], 'reviews-v1')]
  for (const [before, after] of [
    [some, none],
    [some, some],
    [none, none],
  ] as const) {
    expect(ratesBetween(before, after, { seconds: 1, quantiles: [0.5] })).toEqual({ totalRps: 0, errorRps: 0, latencies: [0] })
  }
})

test('a workload that has no pods, and none at all, are told in one line', async () => {
  const none = await api.shell('x', 'metrics', 'reviews-v1.shop')
  expect(none).toMatchObject({ code: 1, stdout: '' })
  expect(none.stderr).toContain('workload reviews-v1 has no running pod with a proxy in namespace shop; see: kubectl get pods -n shop')
  expect((await api.shell('x', 'metrics')).code).toBe(64)
})
