import { setLogSink } from '@lateen/base'
import { findEnvoy, refusal } from '@lateen/testkit'
import { describe, expect, test } from 'vitest'
import { mergeBootstrap } from './override.ts'
import { clusterTag, statsConfig, statsIntervals } from './stats.ts'

const envoy = findEnvoy()

const podWith = (annotations: Readonly<Record<string, string>>) => ({ pod: { labels: {}, annotations }, proxyConfig: {} })
const FLUSH = 'sidecar.istio.io/statsFlushInterval'
const EVICTION = 'sidecar.istio.io/statsEvictionInterval'
const BUCKETS = 'sidecar.istio.io/statsHistogramBuckets'
const BINS = 'sidecar.istio.io/statsHistogramBins'

test('the label of a cluster is its whole name, with dots, pipes and the mark at the end that keeps it apart', () => {
  const value = (stat: string) => new RegExp(clusterTag).exec(stat)?.[2]
  expect(value('cluster.outbound|80||reviews.default.svc.cluster.local.upstream_rq_200')).toBe(
    'outbound|80||reviews.default.svc.cluster.local',
  )
  expect(value('cluster.outbound|443|v1|www.example.com.upstream_cx_total')).toBe('outbound|443|v1|www.example.com')
  expect(value('cluster.outbound|80||a.b;.ssl.handshake')).toBe('outbound|80||a.b')
  expect(value('cluster.inbound|8080||.membership_total')).toBe('inbound|8080||')
  expect(value('cluster.outbound|443||a.ssl.example.com.ssl.handshake')).toBe('outbound|443||a.ssl.example.com')
  expect(value('cluster.outbound|80||cart.external.svc.cluster.local.external.upstream_rq_200')).toBe(
    'outbound|80||cart.external.svc.cluster.local',
  )
  expect(value('cluster.xds-grpc.upstream_cx_active')).toBe('xds-grpc')
  expect(value('cluster.PassthroughCluster.circuit_breakers.default.cx_open')).toBe('PassthroughCluster')
})

test('an override merges objects, joins lists and replaces the rest', () => {
  expect(mergeBootstrap({ a: { b: 1, c: [1] }, d: 'x' }, { a: { c: [2], e: null }, d: 'y' })).toEqual({
    a: { b: 1, c: [1, 2], e: null },
    d: 'y',
  })
})

describe('intervals of statistics', () => {
  const logged: string[] = []
  const of = (annotations: Readonly<Record<string, string>>) => {
    logged.length = 0
    setLogSink((line) => logged.push(line))
    return statsIntervals(podWith(annotations))
  }

  test('unasked, statistics are worked on when somebody looks', () => {
    expect(of({})).toEqual({ stats_flush_on_admin: true })
  })

  test.each([
    [{ [FLUSH]: '10s' }, { stats_flush_interval: '10s' }],
    [{ [FLUSH]: '1m30s' }, { stats_flush_interval: '90s' }],
    [{ [FLUSH]: '250ms' }, { stats_flush_interval: '0.25s' }],
    [{ [EVICTION]: '1h' }, { stats_flush_interval: '5s', stats_eviction_interval: '3600s' }],
    [
      { [FLUSH]: '500ms', [EVICTION]: '2500ms' },
      { stats_flush_interval: '0.5s', stats_eviction_interval: '2.5s' },
    ],
  ])('%j', (annotations, expected) => {
    expect(of(annotations)).toEqual(expected)
    expect(logged).toEqual([])
  })

  test.each([
    [{ [EVICTION]: '11s' }, { stats_flush_on_admin: true }, '"11s" is no multiple of the 5 s'],
    [{ [FLUSH]: '10s', [EVICTION]: '15s' }, { stats_flush_interval: '10s' }, '"15s" is no multiple of the 10 s'],
    [{ [FLUSH]: 'often' }, { stats_flush_on_admin: true }, '"often" is no duration from 1ms'],
    [{ [FLUSH]: '5m' }, { stats_flush_on_admin: true }, '"5m" is no duration from 1ms to 299.999s'],
    [{ [FLUSH]: '0s' }, { stats_flush_on_admin: true }, '"0s" is no duration'],
    [{ [FLUSH]: '-1s', [EVICTION]: '10s' }, { stats_flush_interval: '5s', stats_eviction_interval: '10s' }, '"-1s" is no duration'],
  ])('%j cannot be used, which the log says', (annotations, expected, words) => {
    expect(of(annotations)).toEqual(expected)
    expect(logged).toEqual([expect.stringContaining(words)])
  })
})

test('buckets and bins of histograms are set by prefix; what is neither is left out', () => {
  const settings = podWith({
    [BUCKETS]: '{"istiocustom": [5, 1, 5, -1, "x"], "cluster.xds-grpc": [10], "none": "all"}',
    [BINS]: '{"cluster.xds-grpc": 40, "server": 20, "listener": 0, "http": 1.5}',
  })
  expect(statsConfig(settings)['histogram_bucket_settings']).toEqual([
    { match: { prefix: 'istiocustom' }, buckets: [1, 5] },
    { match: { prefix: 'cluster.xds-grpc' }, buckets: [10], bins: 40 },
    { match: { prefix: 'server' }, bins: 20 },
    { match: { contains: 'istio_' }, buckets: expect.arrayContaining([0.5, 3600000]) },
  ])
  expect(statsConfig(podWith({ [BUCKETS]: '[1]', [BINS]: 'forty' }))['histogram_bucket_settings']).toHaveLength(1)
})

test.skipIf(!envoy)('Envoy accepts intervals, buckets and bins', () => {
  for (const annotations of [
    {},
    { [FLUSH]: '1ms', [EVICTION]: '1h', [BUCKETS]: '{"a": [1]}', [BINS]: '{"a": 46082, "b": 1}' },
    { [FLUSH]: '299.999s' },
  ]) {
    const settings = podWith(annotations)
    expect(refusal(envoy ?? '', { stats_config: statsConfig(settings), ...statsIntervals(settings) })).toBe('')
  }
})
