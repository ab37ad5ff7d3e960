import { expect, test } from 'vitest'
import { problems } from '../../testing/problems.ts'

const http = 'ports: [{number: 80, name: http, protocol: HTTP}]'
const tcp = 'ports: [{number: 99, name: tcp, protocol: TCP}]'

test.each([
  [`{hosts: [a.com], ${http}, resolution: DNS}`, []],
  [`{${http}}`, ['Error spec.hosts LTN0503']],
  [`{hosts: ["*"], ${http}}`, ['Error spec.hosts[0] LTN0208']],
  [`{hosts: ["*a.com"], ${http}}`, ['Warning spec.hosts[0] LTN0207']],
  [`{hosts: [a.com], addresses: [10.0.0.0/8], ${http}, resolution: DNS}`, ['Error spec.addresses LTN0602']],
  [`{hosts: [a.com], addresses: [x], ${http}}`, ['Error spec.addresses[0] LTN0217']],
  [`{hosts: [a.com], ${tcp}}`, ['Warning spec.ports[0] LTN0604']],
  [`{hosts: [a.com], ${tcp}, resolution: STATIC, endpoints: [{address: 1.1.1.1}]}`, []],
  [`{hosts: [a.com], ${http}, endpoints: [{address: 1.1.1.1}]}`, ['Error spec.endpoints LTN0606']],
  [`{hosts: [a.com], ${http}, resolution: STATIC, endpoints: [{address: b.com}]}`, ['Error spec.endpoints[0].address LTN0610']],
  [
    `{hosts: [a.com], ${http}, resolution: STATIC, endpoints: [{address: 1.1.1.1, ports: {web: 80}}]}`,
    ['Error spec.endpoints[0].ports["web"] LTN0611'],
  ],
  [`{hosts: [a.com], ${http}, resolution: STATIC, endpoints: [{address: "unix:///s/"}]}`, ['Error spec.endpoints[0].address LTN0219']],
  [`{hosts: ["*.a.com"], ${http}, resolution: DNS}`, ['Error spec.hosts[0] LTN0608']],
  [
    `{hosts: [a.com], ${http}, resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.com}, {address: c.com}]}`,
    ['Error spec.endpoints LTN0609'],
  ],
  [`{hosts: [a.com, b.com], ${tcp}, resolution: DNS}`, ['Error spec.ports[0] LTN0616']],
  [`{hosts: [a.com], ${http}, resolution: DYNAMIC_DNS}`, ['Error spec.hosts[0] LTN0619']],
  [`{hosts: ["*.a.com"], ${tcp}, resolution: DYNAMIC_DNS}`, ['Error spec.ports[0].protocol LTN0620']],
  [`{hosts: [a.com], ${http}, resolution: STATIC, workloadSelector: {labels: {a: b}}, endpoints: []}`, []],
  [
    `{hosts: [a.com], ${http}, resolution: STATIC, workloadSelector: {labels: {a: b}}, endpoints: [{address: 10.0.0.1}]}`,
    ['Error spec LTN0601'],
  ],
  [`{hosts: [a.com], ${http}, workloadSelector: {labels: {a: b}}}`, ['Warning spec.workloadSelector LTN0607']],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}, {number: 80, name: a, protocol: HTTP}], resolution: DNS}',
    ['Error spec.ports[1].name LTN0239', 'Error spec.ports[1].number LTN0603'],
  ],
  [
    '{hosts: [a.com], ports: [{number: 0, name: "", protocol: X}], resolution: DNS}',
    ['Error spec.ports[0].name LTN0256', 'Error spec.ports[0].protocol LTN0216', 'Error spec.ports[0].number LTN0214'],
  ],
  [`{hosts: [a.com], ${http}, resolution: DNS, exportTo: ["~"]}`, []],
  [`{hosts: [a.com], ${http}, resolution: DNS, exportTo: ["~", "."]}`, ['Error spec.exportTo LTN0230']],
])('%s', (spec, expected) => {
  expect(problems('ServiceEntry', spec)).toEqual(expected)
})

test('a ServiceEntry of the mesh at a waypoint cannot be resolved on demand', () => {
  const spec = `{hosts: ["*.a.com"], ${http}, resolution: DYNAMIC_DNS, location: MESH_INTERNAL}`
  expect(problems('ServiceEntry', spec)).toEqual([])
  expect(problems('ServiceEntry', spec, { labels: { 'istio.io/use-waypoint': 'w' } })).toEqual(['Error spec.location LTN0621'])
})
