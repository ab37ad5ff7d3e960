/** What is said of what a proxy was sent against what it holds. */
import { expect, test } from 'vitest'
import { readConfigDump } from '../../config-dump/dump.ts'
import { comparison } from './comparison.ts'
import { difference } from './difference.ts'

const ADMIN = 'type.googleapis.com/envoy.admin.v3.'
const dump = (configs: readonly object[]) => readConfigDump(JSON.stringify({ configs }), 'a dump of this test')
const clusters = (...found: object[]) => ({
  '@type': `${ADMIN}ClustersConfigDump`,
  dynamic_active_clusters: found.map((cluster) => ({ version_info: String(Math.random()), cluster })),
})
const listeners = (...found: object[]) => ({
  '@type': `${ADMIN}ListenersConfigDump`,
  dynamic_listeners: found.map((listener) => ({ active_state: { listener } })),
})
const routes = (last_updated: string, ...found: object[]) => ({
  '@type': `${ADMIN}RoutesConfigDump`,
  dynamic_route_configs: found.map((route_config) => ({ last_updated, route_config })),
})
const LISTENER = { name: 'l', address: { socket_address: { address: '0.0.0.0', port_value: 80 } } }
const hosts = (...names: string[]) => ({ name: '80', virtual_hosts: names.map((name) => ({ name, domains: [name] })) })

const SENT = dump([
  clusters({ name: 'b', type: 'EDS' }, { name: 'a', connect_timeout: '1s', type: 'EDS' }),
  listeners(LISTENER),
  routes('', hosts('x', 'y')),
])

test('what means the same matches, in whatever order and form it comes', async () => {
  const held = dump([
    clusters({ name: 'a', connectTimeout: '1.000s', type: 'EDS' }, { name: 'b', type: 'EDS' }),
    listeners(LISTENER),
    routes('2026-08-04T11:52:54.123Z', hosts('y', 'x')),
  ])
  const [first, second, third] = await comparison(SENT, held)
  expect([first, second]).toEqual(['Clusters Match', 'Listeners Match'])
  expect(third).toMatch(/^Routes Match \(RDS last loaded at Tue, 04 Aug 2026 \d\d:52:54 \S+\)$/)
})

test('what differs is told as diff -u', async () => {
  const held = dump([
    clusters({ name: 'a', connect_timeout: '2s', type: 'EDS' }),
    listeners(LISTENER, { ...LISTENER, name: 'm' }),
    routes('2026-08-04T11:52:54Z', hosts('x')),
  ])
  const [first, second, third] = await comparison(SENT, held)
  expect(first).toBe(
    [
      '--- Istiod Clusters',
      '+++ Envoy Clusters',
      '@@ -1,17 +1,11 @@',
      ' {',
      '    "dynamicActiveClusters": [',
      '       {',
      '          "cluster": {',
      '             "name": "a",',
      '             "type": "EDS",',
      '-            "connectTimeout": "1s"',
      '-         }',
      '-      },',
      '-      {',
      '-         "cluster": {',
      '-            "name": "b",',
      '-            "type": "EDS"',
      '+            "connectTimeout": "2s"',
      '          }',
      '       }',
      '    ]',
      ' }',
      '',
    ].join('\n'),
  )
  expect(second).toContain('+         "name": "m",')
  expect(third).toMatch(/^Routes Don't Match \(RDS last loaded at .*\)\n--- Istiod Routes\n\+\+\+ Envoy Routes\n@@ /)
  expect((await difference(SENT, held)).map(({ kind, onlySent, onlyHeld, different }) => [kind, onlySent, onlyHeld, different])).toEqual([
    ['Clusters', ['b'], [], [{ name: 'a', fields: [{ field: 'connectTimeout', sent: '1s', held: '2s' }] }]],
    ['Listeners', [], ['m'], []],
    ['Routes', [], [], [expect.objectContaining({ name: '80' })]],
  ])
})

test('a proxy that holds nothing of a kind lacks all of it', async () => {
  const [first] = await comparison(SENT, dump([]))
  expect(first).toContain('-            "name": "a",')
  expect(await comparison(dump([]), dump([]))).toEqual(['Clusters Match', 'Listeners Match', 'Routes Match'])
})
