/** `proxy-config cluster` on saved dumps: the table, byte for byte, and the data. */
import { describe, expect, test } from 'vitest'
import { BOOTSTRAP, clusters, listeners, madeBy, pc, routes, savedDumps, table } from '../../../testdata/saved-dumps.ts'

const { dump } = savedDumps()

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
