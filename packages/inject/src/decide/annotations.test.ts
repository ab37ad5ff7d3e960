import { expect, test } from 'vitest'
import { DEFAULT_VALUES, mergeValues } from '../settings/values.ts'
import { checkAnnotations, checkInstallationValues } from './annotations.ts'

test.each([
  ['traffic.sidecar.istio.io/includeOutboundIPRanges', '10.0.0.0/8,*', 'or \\* alone'],
  ['traffic.sidecar.istio.io/includeOutboundIPRanges', '300.0.0.0/8', '"300.0.0.0/8", which is no IP range'],
  ['traffic.sidecar.istio.io/excludeOutboundIPRanges', '*', 'which is no IP range'],
  ['traffic.sidecar.istio.io/includeInboundPorts', '80,http', '"http", which is no port'],
  ['traffic.sidecar.istio.io/excludeInboundPorts', '*', 'which is no port'],
  ['traffic.sidecar.istio.io/excludeOutboundPorts', '65536', 'numbers from 0 to 65535'],
  ['status.sidecar.istio.io/port', '-1', 'is no port'],
  ['readiness.status.sidecar.istio.io/periodSeconds', '2s', 'whole number'],
  ['sidecar.istio.io/interceptionMode', 'redirect', 'REDIRECT, TPROXY or NONE'],
  ['sidecar.istio.io/rewriteAppHTTPProbers', 'yes', '"true" or "false"'],
  ['sidecar.istio.io/userVolume', '["data"]', 'volumes or mounts by their names'],
  ['sidecar.istio.io/userVolumeMount', '[{"mountPath":"/data"}]', 'or a list such as'],
  ['proxy.istio.io/config', 'concurency: 2', 'unknown field "concurency"'],
  ['proxy.istio.io/config', 'a: b: c', 'no YAML'],
])('%s: "%s" is refused with the reason', (name, value, reason) => {
  expect(checkAnnotations({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^annotation ${name}.*${reason}`))])
})

test.each([
  ['traffic.sidecar.istio.io/includeOutboundIPRanges', '*'],
  ['traffic.sidecar.istio.io/includeOutboundIPRanges', '10.0.0.0/8,2001:db8::/32'],
  ['traffic.sidecar.istio.io/includeOutboundIPRanges', ''],
  ['traffic.sidecar.istio.io/includeInboundPorts', '*'],
  ['traffic.sidecar.istio.io/excludeOutboundPorts', '9042,9043'],
  ['proxy.istio.io/config', 'concurrency: 2\nproxy_metadata:\n  A: b'],
  ['sidecar.istio.io/userVolume', '{"data":{"emptyDir":{}}}'],
  ['sidecar.istio.io/userVolume', '[{"name":"data","emptyDir":{}}]'],
  ['example.com/anything', 'at all'],
])('%s: "%s" is accepted', (name, value) => {
  expect(checkAnnotations({ [name]: value })).toEqual([])
})

test('a long value is shortened in the message', () => {
  const [problem = ''] = checkAnnotations({ 'status.sidecar.istio.io/port': '9'.repeat(10_000) })
  expect(problem.length).toBeLessThan(300)
})

test('installation values follow the rules of the annotations that they stand in for', () => {
  expect(checkInstallationValues(DEFAULT_VALUES)).toEqual([])
  const values = mergeValues(DEFAULT_VALUES, { global: { proxy: { includeIPRanges: '10.0.0.0', statusPort: 'x' } } })
  expect(checkInstallationValues(values)).toEqual([
    expect.stringMatching(/^installation value global.proxy.includeIPRanges: "10.0.0.0" holds/),
    expect.stringMatching(/^installation value global.proxy.statusPort: "x" is no port/),
  ])
})
