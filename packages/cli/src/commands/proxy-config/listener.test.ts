/** `proxy-config listener` on saved dumps: the tables, byte for byte, and the data. */
import { describe, expect, test } from 'vitest'
import { listeners, pc, savedDumps, socket, table, typed } from '../../../testdata/saved-dumps.ts'

const { dump } = savedDumps()

const httpFilter = (fields: object) => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', fields),
})
const tcpFilter = (fields: object) => ({
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', fields),
})
const chain = (match: object, ...filters: object[]) => ({ filter_chain_match: match, filters })

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
