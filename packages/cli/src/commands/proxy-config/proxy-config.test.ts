/** `proxy-config` on saved dumps: the tables, byte for byte, and the data. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { inProcess } from '../../../testdata/in-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-dump-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ADMIN = 'type.googleapis.com/envoy.admin.v3.'
const part = (name: string, fields: object) => ({ '@type': `${ADMIN}${name}ConfigDump`, ...fields })
const clusters = (...found: object[]) => part('Clusters', { dynamic_active_clusters: found.map((cluster) => ({ cluster })) })
const listeners = (...found: object[]) =>
  part('Listeners', { dynamic_listeners: found.map((listener) => ({ active_state: { listener } })) })
const routes = (...found: object[]) => part('Routes', { dynamic_route_configs: found.map((route_config) => ({ route_config })) })
const endpoints = (...found: object[]) =>
  part('Endpoints', { dynamic_endpoint_configs: found.map((endpoint_config) => ({ endpoint_config })) })
const BOOTSTRAP = part('Bootstrap', { bootstrap: { node: { metadata: { ISTIO_VERSION: '1.30.3' } } } })

let files = 0
function saved(content: string | Buffer): string {
  const path = join(folder, `${++files}.json`)
  writeFileSync(path, content)
  return path
}

const dump = (...configs: object[]) => saved(JSON.stringify({ configs }))
const pc = (kind: string, file: string, ...flags: string[]) => inProcess(['proxy-config', kind, '--file', file, ...flags], {})
const table = async (kind: string, file: string, ...flags: string[]) => (await pc(kind, file, ...flags)).stdout.split('\n').slice(0, -1)

const socket = (address: string, port_value: number) => ({ socket_address: { address, port_value } })
const typed = (type: string, fields: object) => ({ '@type': `type.googleapis.com/${type}`, ...fields })
const httpFilter = (fields: object) => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', fields),
})
const tcpFilter = (fields: object) => ({
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', fields),
})
const chain = (match: object, ...filters: object[]) => ({ filter_chain_match: match, filters })
const madeBy = (path: string) => ({ filter_metadata: { istio: { config: path } } })

describe('clusters', () => {
  const file = dump(
    clusters(
      { name: 'PassthroughCluster', type: 'ORIGINAL_DST' },
      {
        name: 'outbound|9080|v1|reviews.shop.svc.cluster.local',
        type: 'EDS',
        metadata: madeBy('/apis/networking.istio.io/v1/namespaces/shop/destination-rule/reviews'),
      },
      { name: 'outbound|9080||reviews.shop.svc.cluster.local', type: 'EDS' },
      { name: 'outbound|80||reviews.shop.svc.cluster.local', type: 'EDS' },
      { name: 'inbound|9080||', type: 'ORIGINAL_DST' },
      { name: 'outbound_.80_._.reviews.shop.svc.cluster.local', type: 'EDS' },
      { name: 'dynamic', cluster_type: { name: 'envoy.clusters.dynamic_forward_proxy' } },
      { name: 'other', type: 'EDS', metadata: madeBy('/elsewhere') },
    ),
  )

  test('have the order and the columns of istioctl, blanks at the end of lines included', async () => {
    expect(await table('cluster', file)).toEqual([
      'SERVICE FQDN                                       PORT     SUBSET     DIRECTION     TYPE             DESTINATION RULE',
      '                                                   9080     -          inbound       ORIGINAL_DST     ',
      'PassthroughCluster                                 -        -          -             ORIGINAL_DST     ',
      'dynamic                                            -        -          -             STATIC           ',
      'other                                              -        -          -             EDS              <unknown>',
      'outbound_.80_._.reviews.shop.svc.cluster.local     -        -          -             EDS              ',
      'reviews.shop.svc.cluster.local                     80       -          outbound      EDS              ',
      'reviews.shop.svc.cluster.local                     9080     -          outbound      EDS              ',
      'reviews.shop.svc.cluster.local                     9080     v1         outbound      EDS              reviews.shop',
    ])
  })

  test.each([
    [['--fqdn', 'reviews'], 4],
    [['--fqdn', 'reviews', '--port', '9080'], 2],
    [['--direction', 'inbound'], 1],
    [['--subset', 'v1'], 1],
    [['--subset', 'v1', '--direction', 'inbound'], 0],
    [['--port', '1'], 0],
  ])('%j lets %d through', async (flags, count) => {
    expect(await table('clusters', file, ...flags)).toHaveLength(count + 1)
    const { stdout } = await pc('c', file, ...flags, '-o', 'json')
    expect(JSON.parse(stdout)).toHaveLength(count)
  })

  test('that are not there at all are a fault, as in istioctl', async () => {
    expect(await pc('cluster', dump(clusters()))).toMatchObject({ code: 1, stdout: '', stderr: 'Error: no clusters found\n' })
    expect(await pc('route', dump(routes()))).toMatchObject({ code: 1, stderr: 'Error: no routes found\n' })
    expect(await pc('listener', dump(listeners()))).toMatchObject({ code: 1, stderr: 'Error: no listeners found\n' })
    expect(await pc('cluster', dump(BOOTSTRAP))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('config dump has no configuration type type.googleapis.com/envoy.admin.v3.ClustersConfigDump'),
    })
  })

  test('as JSON have canonical fields in the order of the proto file, by four blanks', async () => {
    const one = dump(clusters({ alt_stat_name: 'x', connect_timeout: '0.250s', name: 'a', type: 'EDS', lb_policy: 'MAGLEV' }))
    const { stdout } = await pc('cluster', one, '-o', 'json')
    expect(stdout).toBe(
      '[\n    {\n        "name": "a",\n        "altStatName": "x",\n        "type": "EDS",\n        "connectTimeout": "0.250s",\n        "lbPolicy": "MAGLEV"\n    }\n]\n',
    )
    const yaml = await pc('cluster', one, '-o', 'yaml')
    expect(yaml.stdout).toBe('- altStatName: x\n  connectTimeout: 0.250s\n  lbPolicy: MAGLEV\n  name: a\n  type: EDS\n')
    expect((await pc('cluster', one, '--fqdn', 'none', '-o', 'json')).stdout).toBe('[]\n')
  })

  test('with a message of an unknown type are shown all the same, and the type is named once', async () => {
    const foreign = { '@type': 'type.googleapis.com/example.v1.Foreign', snake_case: 1 }
    const file = dump(
      clusters(
        { name: 'a', connect_timeout: '1s', transport_socket: { name: 'x', typed_config: foreign } },
        { name: 'b', transport_socket: { name: 'x', typed_config: foreign } },
      ),
    )
    const { code, stdout, stderr } = await pc('cluster', file, '-o', 'json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual([
      { name: 'a', connectTimeout: '1s', transportSocket: { name: 'x', typedConfig: foreign } },
      { name: 'b', transportSocket: { name: 'x', typedConfig: foreign } },
    ])
    expect(stderr).toBe('messages of the unknown type type.googleapis.com/example.v1.Foreign are shown as they came\n')
  })

  test('that cannot be read are shown as they came', async () => {
    const { code, stdout, stderr } = await pc('cluster', dump(clusters({ name: 'a', connect_timeout: 7 })), '-o', 'json')
    expect([code, JSON.parse(stdout)]).toEqual([0, [{ name: 'a', connect_timeout: 7 }]])
    expect(stderr).toMatch(/^envoy\.config\.cluster\.v3\.Cluster "a" is shown as it came: /)
  })
})

describe('listeners', () => {
  const inline = (virtual_hosts: object[]) => httpFilter({ route_config: { virtual_hosts } })
  const everything = (cluster: string) => [{ domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }] }]
  const file = dump(
    listeners(
      {
        name: 'virtualInbound',
        address: socket('0.0.0.0', 15006),
        filter_chains: [
          chain(
            { transport_protocol: 'tls', application_protocols: ['istio-peer-exchange', 'istio'] },
            tcpFilter({ cluster: 'inbound|80||' }),
          ),
          chain(
            {
              transport_protocol: 'tls',
              application_protocols: ['istio', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'],
              destination_port: 80,
            },
            inline(everything('inbound|80||')),
          ),
          chain(
            { prefix_ranges: [{ address_prefix: '0.0.0.0', prefix_len: 0 }], destination_port: 81 },
            httpFilter({ rds: { route_config_name: '80' } }),
          ),
          chain(
            {
              prefix_ranges: [
                { address_prefix: '10.0.0.0', prefix_len: 8 },
                { address_prefix: 'fd00::', prefix_len: 8 },
              ],
            },
            httpFilter({}),
          ),
          chain({ application_protocols: ['http/1.0', 'http/1.1', 'h2c'] }, inline(everything('PassthroughCluster'))),
          chain({ application_protocols: ['mysql'] }, { name: 'envoy.filters.network.mysql_proxy' }),
        ],
        default_filter_chain: chain({}, tcpFilter({ stat_prefix: 'x', cluster: 'BlackHoleCluster' })),
      },
      {
        name: '10.0.0.1_443',
        address: socket('10.0.0.1', 443),
        additional_addresses: [{ address: socket('fd00::1', 443) }],
        filter_chains: [
          chain({ server_names: ['a.com', 'b.com'] }, tcpFilter({ weighted_clusters: { clusters: [{ name: 'x' }, { name: 'y' }] } })),
        ],
      },
      { name: 'connect_terminate', internal_listener: {}, filter_chains: [chain({}, tcpFilter({ cluster: 'inbound-vip|80' }))] },
      { name: 'pipe', address: { pipe: { path: '/run/x' } }, filter_chains: [chain({}, httpFilter({}))] },
      {
        name: '10.0.0.1_443_quic',
        address: { socket_address: { address: '10.0.0.1', protocol: 'UDP', port_value: 443 } },
        udp_listener_config: { quic_options: {} },
        filter_chains: [
          chain(
            { transport_protocol: 'quic' },
            inline([
              { domains: ['a.com', 'b.com'], routes: [{ match: { path: '/x' } }, { match: { safe_regex: { regex: '/y.*' } } }] },
              { domains: ['*'], routes: [{ match: { path_separated_prefix: '/z' }, direct_response: { status: 404 } }] },
            ]),
          ),
        ],
      },
    ),
  )

  test('have a line for each filter chain, the last destination first', async () => {
    expect(await table('listeners', file)).toEqual([
      'ADDRESSES        PORT  MATCH                                         DESTINATION',
      '                 0     ALL                                           Cluster: inbound-vip|80',
      '/run/x           0     ALL                                           HTTP',
      '10.0.0.1         443   Trans: quic                                   Inline Route: a.com/b.com /x, regex /y.*; PathPrefix:/z',
      '10.0.0.1,fd00::1 443   SNI: a.com,b.com                              Cluster: x, y',
      '0.0.0.0          15006 Addr: 0.0.0.0/0:81                            Route: 80',
      '0.0.0.0          15006 App: HTTP                                     PassthroughCluster',
      '0.0.0.0          15006 App: mysql                                    Non-HTTP/Non-TCP',
      '0.0.0.0          15006 ALL                                           Non-HTTP/Non-TCP',
      '0.0.0.0          15006 Addr: 10.0.0.0/8,fd00::/8                     HTTP',
      '0.0.0.0          15006 Trans: tls; App: TCP TLS                      Cluster: inbound|80||',
      '0.0.0.0          15006 Trans: tls; App: Istio HTTP Plain; Addr: *:80 Cluster: inbound|80||',
    ])
  })

  test('are one line each without --verbose', async () => {
    expect(await table('l', file, '--verbose=false')).toEqual([
      'ADDRESSES        PORT  TYPE',
      '                 0     TCP',
      '/run/x           0     HTTP',
      '10.0.0.1         443   HTTP',
      '10.0.0.1,fd00::1 443   TCP',
      '0.0.0.0          15006 HTTP+TCP',
    ])
  })

  test.each([
    [['--port', '443'], 2],
    [['--address', 'FD00::1'], 1],
    [['--type', 'http+tcp'], 1],
    [['--type', 'tcp', '--port', '443'], 1],
    [['--type', 'UNKNOWN'], 0],
  ])('%j lets %d through', async (flags, count) => {
    expect(await table('listener', file, '--verbose=false', ...flags)).toHaveLength(count + 1)
  })

  test('as data are in the order of the dump', async () => {
    const { stdout } = await pc('listener', file, '-o', 'json')
    expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toEqual([
      'virtualInbound',
      '10.0.0.1_443',
      'connect_terminate',
      'pipe',
      '10.0.0.1_443_quic',
    ])
  })

  test('of waypoints tell their chains by name, and how the matcher comes to each', async () => {
    const action = (name: string) => ({ action: { name, typed_config: typed('google.protobuf.StringValue', { value: name }) } })
    const byPort = (map: object) => ({ matcher_tree: { input: { name: 'port' }, exact_match_map: { map } } })
    const ranges = [
      { address_prefix: '10.0.0.1', prefix_len: 32 },
      { address_prefix: '10.1.0.0', prefix_len: 16 },
    ]
    const byAddress = {
      matcher_tree: {
        input: { name: 'ip' },
        custom_match: {
          name: 'ip',
          typed_config: typed('xds.type.matcher.v3.IPMatcher', {
            range_matchers: [{ ranges, on_match: { matcher: byPort({ 80: action('a'), 81: action('b') }) } }],
          }),
        },
      },
      on_no_match: action('rest'),
    }
    const waypoint = dump(
      listeners(
        {
          name: 'main_internal',
          internal_listener: {},
          filter_chain_matcher: byAddress,
          filter_chains: ['a', 'b', 'c', 'rest'].map((name) => ({ name, filters: [tcpFilter({ cluster: name })] })),
        },
        { name: 'one', internal_listener: {}, filter_chains: [{ name: 'envoy://one', filters: [tcpFilter({ cluster: 'z' })] }] },
      ),
    )
    expect(await table('listener', waypoint, '--waypoint')).toEqual([
      'LISTENER              CHAIN       MATCH                     DESTINATION',
      'envoy://main_internal a           ip=10.0.0.1 -> port=80    Cluster: a',
      'envoy://main_internal a           ip=10.1.0.0/16 -> port=80 Cluster: a',
      'envoy://main_internal b           ip=10.0.0.1 -> port=81    Cluster: b',
      'envoy://main_internal b           ip=10.1.0.0/16 -> port=81 Cluster: b',
      'envoy://main_internal c           NONE                      Cluster: c',
      'envoy://main_internal rest        UNMATCHED                 Cluster: rest',
      'internal              envoy://one ALL                       Cluster: z',
    ])
  })
})

describe('routes', () => {
  const to = (match: object, more: object = {}) => ({ match, route: { cluster: 'x' }, ...more })
  const file = dump(
    routes(
      { name: '9080', virtual_hosts: [] },
      {
        name: 'inbound|80||',
        virtual_hosts: [{ name: 'inbound|http|80', domains: ['*'], routes: [to({ prefix: '/' })] }],
      },
      {
        name: '80',
        virtual_hosts: [
          {
            name: 'reviews.shop.svc.cluster.local:80',
            domains: [
              'reviews.shop.svc.cluster.local',
              'reviews',
              'reviews.shop.svc',
              'reviews.shop',
              'reviews:80',
              '10.0.0.7',
              '[fd00::7]',
              '[fd00::7]:80',
            ],
            routes: [
              to({ prefix: '/' }, { metadata: madeBy('/apis/networking.istio.io/v1alpha3/namespaces/shop/virtual-service/reviews') }),
              to(
                { safe_regex: { regex: '^/v[12]$' } },
                { metadata: madeBy('/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproute/r') },
              ),
              { match: { path: '/old' }, redirect: { path_redirect: '/new' } },
              { match: { prefix: '/gone' }, direct_response: { status: 410 } },
            ],
          },
          { name: 'block_all', domains: ['*'] },
          { name: 'allow_any', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'PassthroughCluster' } }] },
        ],
      },
    ),
  )

  test('have a line for each match, 404 where a host has none, and nothing for what passes through', async () => {
    expect(await table('routes', file)).toEqual([
      'NAME             VHOST NAME                            DOMAINS                               MATCH              VIRTUAL SERVICE',
      '80               reviews.shop.svc.cluster.local:80     reviews, reviews.shop + 1 more...     /*                 reviews.shop',
      '80               reviews.shop.svc.cluster.local:80     reviews, reviews.shop + 1 more...     regex ^/v[12]$     r.shop',
      '80               reviews.shop.svc.cluster.local:80     reviews, reviews.shop + 1 more...     /old               ',
      '80               reviews.shop.svc.cluster.local:80     reviews, reviews.shop + 1 more...     /gone*             ',
      '80               block_all                             *                                     /*                 404',
      'inbound|80||     inbound|http|80                       *                                     /*                 ',
    ])
  })

  test('without --verbose count their hosts; --name takes one', async () => {
    expect(await table('r', file, '--verbose=false')).toEqual([
      'NAME             VIRTUAL HOSTS',
      '80               3',
      '9080             0',
      'inbound|80||     1',
    ])
    expect(await table('route', file, '--verbose=false', '--name', '9080')).toEqual(['NAME     VIRTUAL HOSTS', '9080     0'])
    expect(await table('route', file, '--name', '90')).toHaveLength(1)
  })
})

describe('endpoints', () => {
  const host = (address: object, status: string, more: object = {}) => ({ address, health_status: { eds_health_status: status, ...more } })
  const answer = saved(
    JSON.stringify({
      cluster_statuses: [
        {
          name: 'outbound|9080||reviews.shop.svc.cluster.local',
          host_statuses: [
            host(socket('10.0.0.9', 9080), 'HEALTHY'),
            host(socket('10.0.0.10', 9080), 'UNHEALTHY', { failed_outlier_check: true }),
            host({ envoy_internal_address: { server_listener_name: 'connect_originate', endpoint_id: '10.0.0.3:80' } }, 'DRAINING'),
          ],
        },
        { name: 'sds-grpc', host_statuses: [host({ pipe: { path: './sds' } }, 'HEALTHY')] },
        { name: 'dns', host_statuses: [host(socket('example.com', 0), 'DEGRADED'), { address: socket('10.0.0.1', 443) }] },
        { name: 'empty' },
      ],
    }),
  )

  test('as Envoy sees them are sorted by address', async () => {
    expect(await table('endpoints', answer)).toEqual([
      'ENDPOINT                                  STATUS        OUTLIER CHECK     CLUSTER',
      '10.0.0.1:443                              UNKNOWN       OK                dns',
      '10.0.0.10:9080                            UNHEALTHY     FAILED            outbound|9080||reviews.shop.svc.cluster.local',
      '10.0.0.9:9080                             HEALTHY       OK                outbound|9080||reviews.shop.svc.cluster.local',
      'envoy://connect_originate/10.0.0.3:80     DRAINING      OK                outbound|9080||reviews.shop.svc.cluster.local',
      'example.com                               DEGRADED      OK                dns',
      'unix://./sds                              HEALTHY       OK                sds-grpc',
    ])
  })

  test.each([
    [['--status', 'healthy'], 2, 2],
    [['--port', '9080'], 2, 1],
    [['--address', '10.0.0.9'], 1, 1],
    [['--cluster', 'OUTBOUND|9080||reviews.shop.svc.cluster.local'], 3, 1],
    [['--cluster', 'dns', '--status', 'degraded'], 1, 1],
    [['--address', 'unix://./sds'], 1, 1],
  ])('%j lets %d hosts of %d clusters through', async (flags, hosts, count) => {
    expect(await table('ep', answer, ...flags)).toHaveLength(hosts + 1)
    expect(JSON.parse((await pc('ep', answer, ...flags, '-o', 'json')).stdout)).toHaveLength(count)
  })

  const given = dump(
    endpoints(
      {
        cluster_name: 'outbound|9080||reviews.shop.svc.cluster.local',
        endpoints: [
          {
            locality: { region: 'eu', zone: 'a', sub_zone: '1' },
            lb_endpoints: [{ endpoint: { address: socket('10.0.0.9', 9080) }, health_status: 'HEALTHY' }],
          },
          { locality: { region: 'us', sub_zone: '1' }, priority: 1, lb_endpoints: [{ endpoint: { address: socket('10.0.1.9', 9080) } }] },
        ],
      },
      { cluster_name: 'none', endpoints: [{}] },
      { cluster_name: 'agent', endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: './xds' } } } }] }] },
    ),
    BOOTSTRAP,
  )

  test('as they were given have their locality; eds is a command of its own', async () => {
    expect(await table('eds', given)).toEqual([
      'ENDPOINT          STATUS      LOCALITY     CLUSTER',
      './xds             UNKNOWN                  agent',
      '10.0.0.9:9080     HEALTHY     eu/a/1       outbound|9080||reviews.shop.svc.cluster.local',
      '10.0.1.9:9080     UNKNOWN     us           outbound|9080||reviews.shop.svc.cluster.local',
    ])
    for (const address of ['10.0.1.9', '10.0.1.9:9080']) expect(await table('eds', given, '--address', address)).toHaveLength(2)
    expect(JSON.parse((await pc('eds', given, '--status', 'healthy', '-o', 'json')).stdout)).toMatchObject([
      { endpoints: [{ lbEndpoints: [{ healthStatus: 'HEALTHY' }] }, { priority: 1 }] },
    ])
  })

  test('of an answer that is cut are those of the clusters that are whole', async () => {
    const whole = JSON.stringify({
      cluster_statuses: [1, 2].map((port) => ({ name: `c${port}`, host_statuses: [host(socket('10.0.0.1', port), 'HEALTHY')] })),
    })
    const { code, stdout, stderr } = await pc('endpoint', saved(whole.slice(0, -10)))
    expect([code, stdout.split('\n').slice(1)]).toEqual([1, ['10.0.0.1:1     HEALTHY     OK                c1', '']])
    expect(stderr).toMatch(/^Error: .* is damaged: it ends after \d+ bytes, in the middle; what is whole is shown\n$/)
    for (const content of ['', 'x']) {
      expect(await pc('endpoint', saved(content))).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('is no list of clusters'),
      })
    }
  })

  test('of the wrong document are none, and the right command is told', async () => {
    const { code, stdout, stderr } = await pc('endpoint', given)
    expect([code, stdout]).toEqual([0, 'ENDPOINT     STATUS     OUTLIER CHECK     CLUSTER\n'])
    expect(stderr).toContain('lateen proxy-config eds --file')
  })
})

describe('the other parts', () => {
  test('extensions are sorted by type, then name', async () => {
    const filter = (name: string, type: string) => ({
      ecds_filter: typed('envoy.config.core.v3.TypedExtensionConfig', { name, typed_config: typed(type, {}) }),
    })
    const file = dump(
      part('Ecds', {
        ecds_filters: [
          filter('b', 'envoy.extensions.filters.http.wasm.v3.Wasm'),
          filter('c', 'envoy.extensions.filters.http.rbac.v3.RBAC'),
          filter('a', 'envoy.extensions.filters.http.wasm.v3.Wasm'),
        ],
      }),
    )
    expect(await table('ecds', file)).toEqual([
      'ECDS NAME     TYPE',
      'c             envoy.extensions.filters.http.rbac.v3.RBAC',
      'a             envoy.extensions.filters.http.wasm.v3.Wasm',
      'b             envoy.extensions.filters.http.wasm.v3.Wasm',
    ])
  })

  test('versions are those of the node', async () => {
    const node = {
      metadata: { ISTIO_VERSION: '1.30.3', ISTIO_PROXY_SHA: 'proxy:abc' },
      user_agent_build_version: {
        version: { major_number: 1, minor_number: 40 },
        metadata: { 'revision.status': 'Clean', 'build.type': 'RELEASE', 'ssl.version': 'BoringSSL' },
      },
    }
    expect(await table('bootstrap', dump(part('Bootstrap', { bootstrap: { node } })), '-o', 'short')).toEqual([
      'Istio Version:       1.30.3',
      'Istio Proxy Version: abc',
      'Envoy Version:       1.40.0/Clean/RELEASE/BoringSSL',
    ])
  })

  test('secrets that are not there are said to be none', async () => {
    expect(await pc('secret', dump(part('Secrets', { static_secrets: [{ name: 'x' }] })))).toMatchObject({
      code: 0,
      stdout: 'No active or warming secrets found.\n',
    })
  })

  test('all of them stand below each other; what is missing costs the others nothing', async () => {
    const file = dump(BOOTSTRAP, clusters({ name: 'a', type: 'EDS' }), routes({ name: '80', virtual_hosts: [] }), endpoints())
    const { code, stdout, stderr } = await pc('all', file, '--verbose=false', '--with-headers')
    expect(stdout.split('\n')).toEqual([
      '==== Bootstrap ====',
      'Istio Version: 1.30.3',
      'Envoy Version: 0.0.0',
      '',
      '==== Clusters ====',
      'NAME          SERVICE FQDN     PORT     SUBSET     DIRECTION     TYPE     DESTINATION RULE',
      'cluster/a     cluster/a        -        -          -             EDS      ',
      '',
      '==== Routes ====',
      'NAME         VIRTUAL HOSTS',
      'route/80     0',
      '',
      '==== Endpoints ====',
      'NAME     STATUS     LOCALITY     CLUSTER',
      '',
    ])
    expect(code).toBe(1)
    expect(stderr.split('\n').map((line) => line.slice(0, 60))).toEqual([
      'Error: listener dump: config dump has no configuration type ',
      'Error: config dump has no configuration type type.googleapis',
      '',
    ])
  })

  test('all of them as data are the dump as it came, or with sorted keys', async () => {
    const file = dump(BOOTSTRAP)
    expect((await pc('all', file, '-o', 'json')).stdout).toBe(`${JSON.stringify({ configs: [BOOTSTRAP] })}\n`)
    expect((await pc('all', file, '-o', 'yaml')).stdout.split('\n')[1]).toMatch(/^ {2}- "@type": /)
  })
})

describe('a bad dump', () => {
  const names = Array.from({ length: 50 }, (_, index) => `outbound|80||s${index}.shop.svc.cluster.local`)
  const whole = JSON.stringify({ configs: [BOOTSTRAP, clusters(...names.map((name) => ({ name, type: 'EDS' })))] })

  test('that is compressed is unpacked', async () => {
    expect(await table('cluster', saved(gzipSync(whole)))).toHaveLength(51)
  })

  test.each([
    ['cut', (text: string) => Buffer.from(text.slice(0, -1500))],
    ['compressed and cut', (text: string) => gzipSync(text, { level: 0 }).subarray(0, -1500)],
  ])('that is %s gives what is whole, and says what is wrong', async (_what, cut) => {
    const { code, stdout, stderr } = await pc('cluster', saved(cut(whole)))
    expect(code).toBe(1)
    expect(stdout.split('\n').length).toBeGreaterThan(20)
    expect(stdout.split('\n').length).toBeLessThan(51)
    expect(stderr).toMatch(/^Error: .* is damaged: it ends after \d+ bytes, in the middle; what is whole is shown\n$/)
    const data = await pc('cluster', saved(cut(whole)), '-o', 'json')
    expect(data.code).toBe(1)
    expect(JSON.parse(data.stdout).length).toBeGreaterThan(20)
  })

  test('with something else in the middle gives what stands before it', async () => {
    const broken = whole.replace('{"cluster":{"name":"outbound|80||s30', '<html>')
    const { code, stdout, stderr } = await pc('cluster', saved(broken))
    expect([code, stdout.split('\n').length]).toEqual([1, 32])
    expect(stderr).toMatch(/^Error: .* is damaged: /)
  })

  test.each([
    ['', /it ends after 0 bytes/],
    ['<html>', /it is no JSON at byte 0: "<html>" stands where a { belongs/],
    ['{"configs":', /it ends after 11 bytes/],
  ])('%j is said to be none', async (text, message) => {
    const { code, stdout, stderr } = await pc('cluster', saved(text))
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^Error: .* is no config dump: /)
    expect(stderr).toMatch(message)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('that begins as gzip and is none is refused in a line', async () => {
    expect(await pc('cluster', saved(Buffer.from([0x1f, 0x8b, 1, 2, 3])))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: cannot read .*: it is no gzip although it begins as such\n$/),
    })
  })
})

test('a pod and a file exclude each other, and one of them is needed', async () => {
  for (const kind of ['cluster', 'listener', 'route', 'endpoint', 'eds', 'bootstrap', 'secret', 'ecds', 'all']) {
    expect(await inProcess(['pc', kind], {})).toMatchObject({ code: 64, stderr: expect.stringContaining('no pod') })
    expect(await inProcess(['pc', kind, 'a.b', '-f', 'x'], {})).toMatchObject({ code: 64, stderr: expect.stringContaining('not both') })
  }
})
