import { DEFAULT_SWITCHES, switchesFrom } from '@lateen/model'
import { expect, test } from 'vitest'
import { switchReader } from './environment.ts'

const switches = (env: Readonly<Record<string, string>>) => ({ ...DEFAULT_SWITCHES, ...switchesFrom(switchReader(env)) })

test('an environment that says nothing means what holds by default', () => {
  expect(switches({ PILOT_HTTP10: '' })).toEqual(DEFAULT_SWITCHES)
})

test('variables of istiod switch what they switch there', () => {
  const env = {
    ISTIO_DUAL_STACK: 'true',
    PILOT_ENABLE_IP_AUTOALLOCATE: 'F',
    PILOT_DNS_JITTER_DURATION: '1s',
    PILOT_SCOPE_GATEWAY_TO_NAMESPACE: '1',
    LATEEN_EVERY_SPELLING: 't',
  }
  expect(switches(env)).toMatchObject({
    dualStack: true,
    allocatesAddresses: false,
    dnsJitter: 1000,
    gatewaysOfOwnNamespace: true,
    everySpelling: true,
  })
})

test.each(['constructor', 'yes', '2'])('%s is neither true nor false, and the variable is named', (text) => {
  expect(() => switches({ PILOT_HTTP10: text })).toThrow(`PILOT_HTTP10: "${text}" is not true or false`)
})

test('a policy of TLS is one of those that there are', () => {
  expect(switches({ COMPLIANCE_POLICY: 'pqc' }).tlsPolicy).toBe('pqc')
  expect(() => switches({ COMPLIANCE_POLICY: 'PQC' })).toThrow('COMPLIANCE_POLICY: "PQC" is not one of fips-140-2, fips-140-3, pqc')
})
