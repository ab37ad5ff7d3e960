import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { AccessLogSchema } from '@lateen/envoy/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { ConfigSchema } from '@lateen/envoy/gen/envoy/extensions/access_loggers/stats/v3/stats_pb.js'
import { expect, test } from 'vitest'
import { connectionMetrics, countsCalls, requestMetrics } from './standard-metrics.ts'

const SIDES = ['outbound', 'inbound'] as const

const loggersOf = (side: (typeof SIDES)[number]) =>
  [...requestMetrics({ mesh: {} }, side), ...connectionMetrics({ mesh: {} }, side)].map(({ configType }) => {
    const any = configType?.case === 'typedConfig' ? configType.value : undefined
    return fromBinary(ConfigSchema, any?.value ?? new Uint8Array())
  })

test.each(SIDES)('%s: what every chain repeats is small', (side) => {
  const bytes = (loggers: ReturnType<typeof requestMetrics>) =>
    loggers.reduce((sum, logger) => sum + toBinary(AccessLogSchema, create(AccessLogSchema, logger)).length, 0)
  expect(bytes(requestMetrics({ mesh: {} }, side))).toBeLessThan(1500)
  expect(bytes(connectionMetrics({ mesh: {} }, side))).toBeLessThan(1500)
})

test('all metrics of a side have one label, with the fields in their order', () => {
  const tags = SIDES.flatMap((side) =>
    loggersOf(side).flatMap(({ counters, histograms }) =>
      [...counters, ...histograms].map(({ stat }) => stat?.tags.map(({ name, valueFormat }) => `${name}: ${valueFormat}`).join()),
    ),
  )
  expect([...new Set(tags)].map((tag) => tag?.replaceAll('\t', ' '))).toEqual([
    "istio_outbound: %METADATA(ROUTE:istio:service)% %UPSTREAM_CLUSTER_RAW% %METADATA(UPSTREAM_HOST:istio:workload)% %UPSTREAM_LOCAL_URI_SAN% %UPSTREAM_PEER_URI_SAN% %RESPONSE_FLAGS% %RESPONSE_CODE% %GRPC_STATUS_NUMBER% %CEL(request.headers['content-type'].startsWith('application/grpc'))%",
    'istio_outbound: %METADATA(ROUTE:istio:service)% %UPSTREAM_CLUSTER_RAW% %METADATA(UPSTREAM_HOST:istio:workload)% %UPSTREAM_LOCAL_URI_SAN% %UPSTREAM_PEER_URI_SAN% %RESPONSE_FLAGS%',
    "istio_inbound: %METADATA(CLUSTER:istio:service)% %DOWNSTREAM_LOCAL_URI_SAN% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT% %RESPONSE_FLAGS% %RESPONSE_CODE% %GRPC_STATUS_NUMBER% %CEL(request.headers['content-type'].startsWith('application/grpc'))%",
    'istio_inbound: %METADATA(CLUSTER:istio:service)% %DOWNSTREAM_LOCAL_URI_SAN% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT% %RESPONSE_FLAGS%',
  ])
})

test('the series of every logger are bounded, in no scope that it shares', () => {
  const scopes = SIDES.flatMap((side) => loggersOf(side).map(({ statsScope }) => statsScope))
  expect(scopes).toHaveLength(6)
  for (const scope of scopes) expect(scope).toMatchObject({ maxCounters: 5_000, maxHistograms: 7_500, sharingName: '' })
})

test('calls are counted unless the mesh has other providers of metrics, or none', () => {
  const counted = (metrics: readonly string[] | undefined, extensionProviders: readonly { name: string; prometheus?: object }[] = []) =>
    countsCalls({ mesh: { extensionProviders, ...(metrics && { defaultProviders: { metrics } }) } })
  expect(counted(undefined)).toBe(true)
  expect(counted(['prometheus'])).toBe(true)
  expect(counted([])).toBe(false)
  expect(counted(['stackdriver'])).toBe(false)
  expect(counted(['ours'], [{ name: 'ours', prometheus: {} }])).toBe(true)
  expect(counted(['prometheus'], [{ name: 'prometheus' }])).toBe(false)
})
