import {
  TlsParameters_CompliancePolicy,
  TlsParameters_TlsProtocol,
} from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { DEFAULT_SWITCHES } from '@lateen/model'
import { expect, test } from 'vitest'
import { limitedTls, type TlsParametersInit } from './tls-limits.ts'

const { TLS_AUTO, TLSv1_0, TLSv1_2, TLSv1_3 } = TlsParameters_TlsProtocol
const under = (tlsPolicy: 'fips-140-2' | 'fips-140-3' | 'pqc' | undefined, asked: TlsParametersInit) =>
  limitedTls(asked, { switches: { ...DEFAULT_SWITCHES, tlsPolicy } })

const FIPS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
]

test('without a policy parameters stay as they are', () => {
  const asked = { tlsMinimumProtocolVersion: TLSv1_0, cipherSuites: ['AES128-SHA'] }
  expect(under(undefined, asked)).toBe(asked)
})

test('fips-140-2: TLS 1.2 and P-256, whatever was asked for; of the suites those that are allowed', () => {
  const all = { tlsMinimumProtocolVersion: TLSv1_2, tlsMaximumProtocolVersion: TLSv1_2, cipherSuites: FIPS, ecdhCurves: ['P-256'] }
  expect(under('fips-140-2', {})).toEqual(all)
  expect(under('fips-140-2', { tlsMinimumProtocolVersion: TLSv1_3, tlsMaximumProtocolVersion: TLSv1_3, ecdhCurves: ['X25519'] })).toEqual(
    all,
  )
  expect(under('fips-140-2', { tlsMinimumProtocolVersion: TLS_AUTO, cipherSuites: ['AES128-SHA'] })).toEqual(all)
  expect(under('fips-140-2', { cipherSuites: ['AES128-SHA', 'ECDHE-RSA-AES128-GCM-SHA256'] }).cipherSuites).toEqual([
    'ECDHE-RSA-AES128-GCM-SHA256',
  ])
})

test("fips-140-3: Envoy's own policy, with the parameters that it leaves", () => {
  expect(under('fips-140-3', { tlsMinimumProtocolVersion: TLSv1_3, ecdhCurves: ['P-384'] })).toEqual({
    tlsMinimumProtocolVersion: TLSv1_2,
    tlsMaximumProtocolVersion: TLSv1_3,
    cipherSuites: FIPS,
    ecdhCurves: ['P-256', 'P-384'],
    compliancePolicies: [TlsParameters_CompliancePolicy.FIPS_202205],
  })
})

test('pqc: TLS 1.3 with X25519MLKEM768 alone', () => {
  const all = { tlsMinimumProtocolVersion: TLSv1_3, tlsMaximumProtocolVersion: TLSv1_3, cipherSuites: [], ecdhCurves: ['X25519MLKEM768'] }
  expect(under('pqc', {})).toEqual(all)
  expect(under('pqc', { tlsMaximumProtocolVersion: TLSv1_2, cipherSuites: FIPS, ecdhCurves: ['P-256'] })).toEqual(all)
})
