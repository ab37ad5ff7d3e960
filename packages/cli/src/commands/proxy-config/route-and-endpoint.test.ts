/** `proxy-config route`, `endpoint` and `eds` on saved dumps: the tables, byte for byte, and the data. */
import { describe, expect, test } from 'vitest'
import { BOOTSTRAP, endpoints, madeBy, pc, routes, savedDumps, socket, table } from '../../../testdata/saved-dumps.ts'

const { saved, dump } = savedDumps()

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
      'NAME              STATUS      LOCALITY     CLUSTER',
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
