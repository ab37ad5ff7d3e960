import { type CaFiles, CertificateAuthority, createSelfSignedRoot, type KeyAndCertificate, type Phase, type Rotation } from '@lateen/ca'
import { expect, test } from 'vitest'
import { listOf } from '../../../testdata/revocation-list.ts'
import { filesOf } from '../ca-source.ts'
import { rootFacts, viewOf } from './view.ts'

const newRoot = (organization: string): KeyAndCertificate => createSelfSignedRoot({ organization, now: Date.now() })
const [old, next] = [newRoot('old'), newRoot('next')]
const without = { old: filesOf(old), next: filesOf(next) }
const lists = { old: await listOf(old), next: await listOf(next) }
const withLists = { old: { ...without.old, crl: lists.old }, next: { ...without.next, crl: lists.next } }

/** The revocation lists that proxies are told of in each phase of a change. */
function listsByPhase(from: CaFiles, to: CaFiles): string[] {
  const authority = CertificateAuthority.load(to)
  const offered = { authority, files: to, origin: 'a test' }
  const facts = { old: rootFacts(CertificateAuthority.load({ ...from, crl: '' })), next: rootFacts(authority) }
  return (['distribute', 'issue', 'retire'] satisfies Phase[]).map((phase) => {
    const rotation: Rotation = { id: 'a', phase, reason: 'replaced', ...facts, startedAt: 0, phaseAt: 0 }
    return viewOf(offered, { record: { rotation, replicas: {} }, keys: { rotation: 'a', old: from, next: to } }, undefined, {}).crlPem
  })
}

test('while proxies have certificates of both CAs, lists are in force when both CAs have them', () => {
  expect(listsByPhase(withLists.old, withLists.next)).toEqual([lists.old + lists.next, lists.old + lists.next, lists.next])
})

test('lists of one CA alone would lock out the certificates of the other: they wait for the end of the change', () => {
  expect(listsByPhase(without.old, withLists.next)).toEqual(['', '', lists.next])
  expect(listsByPhase(withLists.old, without.next)).toEqual(['', '', ''])
})

test('lists of the old CA that have ended in the middle of a change do not take away what it signs', () => {
  const ended = { ...withLists.old, crl: 'no list' }
  expect(listsByPhase(ended, withLists.next)).toEqual(['', '', lists.next])
})
