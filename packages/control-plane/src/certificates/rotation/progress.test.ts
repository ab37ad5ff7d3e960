import { type ReplicaReport, type Rotation, subjectOf } from '@lateen/ca'
import { expect, test } from 'vitest'
import { type Facts, progressOf, REPORT_LIFE_MS } from './progress.ts'

const root = { fingerprint: 'AA', subject: 'O=x', expires: '2040-01-01T00:00:00.000Z' }
const rotation: Rotation = { id: 'r', phase: 'distribute', reason: 'requested', old: root, next: root, startedAt: 0, phaseAt: -10_000 }
const report = (fields: Partial<ReplicaReport> = {}, of: Rotation = rotation): ReplicaReport => ({
  ...{ about: subjectOf(of), total: 2, ready: 2, unaware: 0, waiting: [], at: 1000, since: -60_000 },
  ...fields,
})
const facts = (fields: Partial<Facts> = {}): Facts => ({
  ...{ now: 1000, replicas: [report()], proxyPods: 2, distributed: true, certificateLifeMs: 60_000 },
  ...fields,
})

test('a phase ends when every proxy of every replica is ready', () => {
  expect(progressOf(rotation, facts())).toMatchObject({ next: 'issue', waitingFor: '' })
  const behind = report({ ready: 1, waiting: ['cart-1.shop'] })
  expect(progressOf(rotation, facts({ replicas: [report(), behind], proxyPods: 4 }))).toEqual({
    total: 4,
    ready: 3,
    waitingFor: '1 of 4 proxies (cart-1.shop)',
  })
})

test('without a report of the phase nothing is known, however old the phase', () => {
  const of = { ...rotation, phase: 'issue' as const }
  for (const replicas of [[], [report()], [report({}, of), report()], [report({ at: 1000 - REPORT_LIFE_MS }, of)]])
    expect(progressOf(of, facts({ replicas, now: 1000 })).next).toBeUndefined()
})

test('what a replica says that has just started is not enough, beside one that runs longer it is', () => {
  const fresh = report({ since: 0, total: 0, ready: 0 })
  expect(progressOf(rotation, facts({ replicas: [fresh], proxyPods: 0 })).next).toBeUndefined()
  expect(progressOf(rotation, facts({ replicas: [fresh, report()] })).next).toBe('issue')
})

test('at the beginning the first reports of all replicas are waited for', () => {
  expect(progressOf({ ...rotation, phaseAt: 0 }, facts()).next).toBeUndefined()
  expect(progressOf({ ...rotation, phaseAt: -2000 }, facts()).next).toBe('issue')
})

test('proxies that cannot speak of it or are not connected are waited for until their certificates have ended', () => {
  for (const [given, words] of [
    [{ replicas: [report({ ready: 1, unaware: 1 })] }, 'agents do not report'],
    [{ proxyPods: 3 }, 'run but are not connected'],
  ] as const) {
    const { next, waitingFor } = progressOf(rotation, facts(given))
    expect([next, waitingFor]).toEqual([undefined, expect.stringContaining(words)])
    const later = { ...facts(given), now: 60_000, replicas: facts(given).replicas.map((each) => ({ ...each, at: 60_000 })) }
    expect(progressOf(rotation, later).next).toBe('issue')
  }
})

test('forced, proxies are not waited for, but the roots must be in every namespace', () => {
  const forced = { ...rotation, forced: true }
  const replicas = [report({ ready: 0 })]
  expect(progressOf(forced, facts({ replicas })).next).toBe('issue')
  expect(progressOf(forced, facts({ replicas, distributed: false })).next).toBeUndefined()
})
