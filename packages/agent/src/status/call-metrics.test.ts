import type { Peer } from '@lateen/base/call-record'
import { expect, test } from 'vitest'
import { CallMetrics } from './call-metrics.ts'

const CART: Peer = { workload: 'cart-v1', namespace: 'shop', service: 'cart', revision: 'v1', cluster: 'east', app: 'cart', version: 'v1' }
const DB = 'outbound|80||db.shop.svc.cluster.local'
const outbound = (...fields: string[]) => `{istio_outbound="${['', ...fields].join('\t')}"}`
const peer = ['db;shop;db;latest;east;db;', 'spiffe://mesh/ns/shop/sa/cart', 'spiffe://mesh/ns/shop/sa/db']

function page(text: string, chunk = text.length): string[] {
  const metrics = new CallMetrics(CART)
  const out: string[] = []
  let rest = text
  while (rest !== '') {
    const end = rest.indexOf('\n', chunk - 1) + 1 || rest.length
    out.push(...metrics.write(rest.slice(0, end)))
    rest = rest.slice(end)
  }
  return [...out, ...metrics.end()].join('').split('\n')
}

const labelsOf = (line = ''): Record<string, string> =>
  Object.fromEntries([...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]))

test('a request that left has all labels of Istio, in its names', () => {
  const [type, line] = page(
    `# TYPE envoy_istio_requests_total counter\nenvoy_istio_requests_total${outbound(DB, ...peer, '-', '200', '', '')} 3\n`,
  )
  expect(type).toBe('# TYPE istio_requests_total counter')
  expect(line).toMatch(/^istio_requests_total\{reporter="source",.*\} 3$/)
  expect(labelsOf(line)).toEqual({
    reporter: 'source',
    source_workload: 'cart-v1',
    source_canonical_service: 'cart',
    source_canonical_revision: 'v1',
    source_workload_namespace: 'shop',
    source_principal: 'spiffe://mesh/ns/shop/sa/cart',
    source_app: 'cart',
    source_version: 'v1',
    source_cluster: 'east',
    destination_workload: 'db',
    destination_workload_namespace: 'shop',
    destination_principal: 'spiffe://mesh/ns/shop/sa/db',
    destination_app: 'db',
    destination_version: 'unknown',
    destination_service: 'db.shop.svc.cluster.local',
    destination_canonical_service: 'db',
    destination_canonical_revision: 'latest',
    destination_service_name: 'db',
    destination_service_namespace: 'shop',
    destination_cluster: 'east',
    request_protocol: 'http',
    response_code: '200',
    grpc_response_status: '',
    response_flags: '-',
    connection_security_policy: 'unknown',
  })
})

test('a connection that came in: the caller is who its certificate says; without one nobody is known', () => {
  const subject = 'OU=av.v2,OU=app.web,OU=cs.web,OU=cl.west,OU=ver.v2,OU=ns.shop,OU=wl.web-v2'
  const sans = ['spiffe://mesh/ns/shop/sa/cart', 'spiffe://mesh/ns/front/sa/web']
  const record = (...fields: string[]) => `envoy_istio_tcp_sent_bytes_total{istio_inbound="${fields.join('\t')}"} 7\n`
  const [known, unknown] = page(record('cart.shop.svc.cluster.local', ...sans, subject, '-') + record('', '', '', '', 'UF'))
  expect(labelsOf(known)).toMatchObject({
    reporter: 'destination',
    source_workload: 'web-v2',
    source_workload_namespace: 'front',
    source_canonical_service: 'web',
    source_canonical_revision: 'v2',
    source_app: 'web',
    source_version: 'v2',
    source_cluster: 'west',
    destination_service: 'cart.shop.svc.cluster.local',
    destination_service_name: 'cart',
    request_protocol: 'tcp',
    response_flags: '-',
    connection_security_policy: 'mutual_tls',
  })
  expect(Object.keys(labelsOf(known))).not.toContain('response_code')
  expect(labelsOf(unknown)).toMatchObject({
    source_workload: 'unknown',
    source_canonical_revision: 'latest',
    source_principal: 'unknown',
    destination_service: 'cart',
    response_flags: 'UF',
    connection_security_policy: 'none',
  })
})

test.each(['CN=OU\\=wl.admin,OU=wl.web', 'CN=a\\,OU=wl.admin,OU=wl.web'])(
  'a caller cannot name another workload in a name of its own: %s',
  (subject) => {
    const [line] = page(`envoy_istio_requests_total{istio_inbound="${['', '', '', subject.replaceAll('\\', '\\\\')].join('\t')}"} 1\n`)
    expect(labelsOf(line)['source_workload']).toBe('web')
  },
)

test('where a destination is unknown, the service is what leads there', () => {
  const line = (...fields: string[]) => labelsOf(page(`envoy_istio_requests_total${outbound(...fields)} 1\n`)[0])
  expect(line('PassthroughCluster')).toMatchObject({ destination_service: 'unknown', destination_service_name: 'PassthroughCluster' })
  expect(line('outbound|443||www.example.com')).toMatchObject({
    destination_service: 'www.example.com',
    destination_service_name: 'www.example.com',
    destination_service_namespace: 'unknown',
  })
  expect(line('outbound_.80_.v1_.db.shop.svc.cluster.local')).toMatchObject({ destination_service_name: 'db' })
  expect(line('')).toMatchObject({ destination_service: 'unknown', destination_service_name: 'unknown' })
})

test('calls by two ports of a service are one series, in histograms too, wherever the text is cut', () => {
  const series = (cluster: string, counts: readonly number[]) => {
    const labels = outbound(cluster, ...peer, '-', '200', '', '').slice(0, -1)
    const [few = 0, all = 0, sum = 0] = counts
    return [
      `envoy_istio_request_bytes_bucket${labels},le="5"} ${few}`,
      `envoy_istio_request_bytes_bucket${labels},le="+Inf"} ${all}`,
      `envoy_istio_request_bytes_sum${labels}} ${sum}`,
      `envoy_istio_request_bytes_count${labels}} ${all}`,
    ]
  }
  const text = [
    'envoy_server_live{} 1',
    '# TYPE envoy_istio_request_bytes histogram',
    ...series(DB, [1, 2, 11.5]),
    ...series(DB.replace('80', '81'), [3, 4, 20]),
    '',
    '# TYPE envoy_server_uptime gauge',
    'envoy_server_uptime{} 5',
    '',
  ].join('\n')
  for (const chunk of [1, 300, text.length]) {
    const lines = page(text, chunk)
    expect(lines.map((line) => line.replace(/\{reporter=.*?(,le=[^}]*)?\}/, '{…$1}'))).toEqual([
      'envoy_server_live{} 1',
      '# TYPE istio_request_bytes histogram',
      'istio_request_bytes_bucket{…,le="5"} 4',
      'istio_request_bytes_bucket{…,le="+Inf"} 6',
      'istio_request_bytes_sum{…} 31.5',
      'istio_request_bytes_count{…} 6',
      '# TYPE envoy_server_uptime gauge',
      'envoy_server_uptime{} 5',
      '',
    ])
  }
})

test('labels that a user added stay', () => {
  const [line] = page(`envoy_istio_requests_total${outbound('PassthroughCluster').slice(0, -1)},team="a\\"b"} 1\n`)
  expect(line).toMatch(/,team="a\\"b"\} 1$/)
})

test('metrics of others pass unchanged', () => {
  const text = 'envoy_cluster_upstream_rq{envoy_cluster_name="a"} 1\nenvoy_istio_agent_x{a="b"} 2\n'
  expect(page(text)).toEqual(['envoy_cluster_upstream_rq{envoy_cluster_name="a"} 1', 'istio_agent_x{a="b"} 2', ''])
})
