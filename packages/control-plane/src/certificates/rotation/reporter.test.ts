import { TRUST_TYPE } from '@lateen/ca'
import { isAnsweredLater, TYPE_URL } from '@lateen/envoy'
import type { ConnectionStatus } from '@lateen/xds'
import { expect, test } from 'vitest'
import { reportOf } from './reporter.ts'

const about = { id: 'r', phase: 'distribute' as const }
const at = { inForceSince: () => 100, at: 500, since: 0 }

function connection(name: string, type?: { state: 'SYNCED' | 'STALE' | 'NOT SENT'; sentAt: number; typeUrl?: string }): ConnectionStatus {
  const { state = 'SYNCED', sentAt = 0, typeUrl = TRUST_TYPE.roots } = type ?? {}
  const status = {
    typeUrl,
    state,
    sentAt,
    nonceSent: '1',
    nonceAcked: '1',
    subscribed: -1,
    answeredAt: sentAt,
    error: '',
    names: new Set<string>(),
  } as const
  const locality = { region: '', zone: '', subZone: '' }
  return {
    id: name,
    node: {
      id: `sidecar~10.0.0.7~${name}.shop~shop.svc.cluster.local`,
      cluster: '',
      metadata: {},
      locality,
      userAgentName: '',
      userAgentVersion: '',
    },
    identities: [],
    address: '',
    encrypted: true,
    delta: true,
    connectedAt: 0,
    settled: true,
    types: type ? [status] : [],
  }
}

test('ready is who has acknowledged what was sent since it is in force', () => {
  const connections = [
    connection('acknowledged', { state: 'SYNCED', sentAt: 100 }),
    connection('earlier', { state: 'SYNCED', sentAt: 99 }),
    connection('underway', { state: 'STALE', sentAt: 101 }),
    connection('unaware'),
    connection('other', { state: 'SYNCED', sentAt: 200, typeUrl: TRUST_TYPE.issuer }),
  ]
  expect(reportOf(about, connections, at)).toMatchObject({ total: 5, ready: 1, unaware: 2, waiting: ['earlier.shop', 'underway.shop'] })
  expect(reportOf({ ...about, phase: 'issue' }, connections, at)).toMatchObject({ total: 5, ready: 1, unaware: 4 })
})

test('of a node that is connected twice the newest connection counts, and one that has just gone is waited for', () => {
  const twice = [connection('cart', { state: 'STALE', sentAt: 99 }), connection('cart', { state: 'SYNCED', sentAt: 100 })]
  expect(reportOf(about, twice, at)).toMatchObject({ total: 1, ready: 1 })
  expect(reportOf(about, twice, { ...at, gone: ['sidecar~10.0.0.8~bill.shop~x'] })).toMatchObject({
    total: 2,
    ready: 1,
    waiting: ['bill.shop'],
  })
})

test('what is told of trust is answered when it is in force, and configuration does not wait for that', () => {
  expect(Object.values(TRUST_TYPE).every(isAnsweredLater)).toBe(true)
  expect(Object.values(TYPE_URL).some(isAnsweredLater)).toBe(false)
})
