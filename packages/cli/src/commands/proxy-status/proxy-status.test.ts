/** `proxy-status`: what each control plane tells of its proxies, as a table and as data. */
import { expect, test } from 'vitest'
import type { Answer } from '../../cluster/istiod.ts'
import { clientStatuses } from './client-statuses.ts'
import { proxyStatus } from './proxy-status.ts'
import { readSyncStatus } from './sync-status.ts'

const URL = 'type.googleapis.com/'
const CDS = `${URL}envoy.config.cluster.v3.Cluster`
const RDS = `${URL}envoy.config.route.v3.RouteConfiguration`
const WDS = `${URL}istio.workload.Address`

const answer = (istiod: string, entries: unknown): Answer => ({
  istiod,
  revision: 'default',
  body: typeof entries === 'string' ? entries : JSON.stringify(entries),
})
const entry = (proxy: string, resources: unknown) => ({ cluster_id: 'west', proxy, istio_version: '1.30.3', resources })

const ANSWERS = [
  answer('istiod-2', [
    entry('cart-1.shop', {
      [WDS]: { sent: 'a', acked: 'a' },
      [RDS]: { sent: 'b', acked: 'a', sentTime: '2026-01-01T00:00:00Z' },
      [CDS]: { sent: 'c', acked: 'b', lastError: 'no such secret' },
      [`${URL}example.v1.Custom`]: { sentTime: '0001-01-01T00:00:00Z' },
    }),
  ]),
  answer('istiod-1', [entry('api-1.shop', { [RDS]: { sent: 'x' } })]),
  answer('istiod-3', 'the port is closed'),
]

test('types are in the order of istioctl, then by name; states follow from nonces and refusals', () => {
  expect(
    readSyncStatus(ANSWERS).map(({ proxy, istiod, types }) => [proxy, istiod, types.map(({ type, state }) => `${type} ${state}`)]),
  ).toEqual([
    ['api-1.shop', 'istiod-1', ['RDS STALE (Never Acknowledged)']],
    ['cart-1.shop', 'istiod-2', ['CDS STALE', 'RDS STALE', 'Custom NOT SENT', 'WDS SYNCED']],
  ])
})

test('a control plane that tells nonces alone is understood', () => {
  const old = [
    answer('pilot', [{ cluster_id: '', proxy: 'a.b', proxy_version: '1.1', cluster_sent: 'n', cluster_acked: 'n', route_sent: 'n' }]),
  ]
  expect(readSyncStatus(old)[0]).toMatchObject({
    version: '1.1',
    types: [
      { type: 'CDS', state: 'SYNCED' },
      { type: 'RDS', state: 'STALE (Never Acknowledged)' },
    ],
  })
})

const text = (detail: boolean) =>
  proxyStatus.render?.({ proxies: readSyncStatus(ANSWERS), faults: ['istiod-4 did not answer'], detail }, 'table') ?? ''
const table = (found: string) => found.split('\n').map((line) => line.split(/ {2,}/))

test('the table counts the types; below it stands what is behind, what was refused and why, and who did not answer', () => {
  expect(table(text(false)).slice(0, 3)).toEqual([
    ['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'SUBSCRIBED TYPES'],
    ['api-1.shop', 'west', 'istiod-1', '1.30.3', '1 (RDS)'],
    ['cart-1.shop', 'west', 'istiod-2', '1.30.3', '4 (CDS,RDS,Custom,WDS)'],
  ])
  expect(text(false)).toContain('cart-1.shop: CDS refused: no such secret')
  expect(text(false)).toContain('api-1.shop: RDS STALE (Never Acknowledged)')
  expect(text(false).split('\n').at(-1)).toBe('istiod-4 did not answer')
})

test('with --verbosity there is a column for each type, and what is not asked for is IGNORED', () => {
  const [headings, api, cart] = table(text(true))
  expect(headings).toEqual(['NAME', 'CLUSTER', 'CDS', 'LDS', 'EDS', 'RDS', 'ECDS', 'Custom', 'WDS', 'ISTIOD', 'VERSION'])
  expect(api?.slice(2, 7)).toEqual(['IGNORED', 'IGNORED', 'IGNORED', 'STALE (Never Acknowledged)', 'IGNORED'])
  expect(cart?.[2]).toBe('ERROR')
  expect(cart?.[5]).toMatch(/^STALE \(\d+d\)$/)
})

test('as data they are what Envoy calls them', () => {
  const { resources, controlPlane } = clientStatuses(readSyncStatus(ANSWERS))
  expect(resources[1]?.node).toEqual({ id: 'cart-1.shop', metadata: { CLUSTER_ID: 'west', ISTIO_VERSION: '1.30.3' } })
  expect(resources[1]?.genericXdsConfigs.map(({ configStatus }) => configStatus)).toEqual(['ERROR', 'STALE', 'NOT_SENT', 'SYNCED'])
  expect(resources[1]?.genericXdsConfigs[0]).toMatchObject({ typeUrl: CDS, errorState: { details: 'no such secret' } })
  expect(JSON.parse(controlPlane?.identifier ?? '')).toEqual({ Component: 'istiod', ID: 'istiod-1' })
})
