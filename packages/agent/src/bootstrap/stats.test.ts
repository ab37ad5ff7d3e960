import { expect, test } from 'vitest'
import { mergeBootstrap } from './override.ts'
import { clusterTag } from './stats.ts'

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
