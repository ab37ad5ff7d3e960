import { Metadata } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { authenticatePeer, type PeerAuthenticationOptions } from './peer-authentication.ts'

const nobody = { authenticate: () => Promise.resolve({ refused: 'no proof' }) }

async function verdict(rule: PeerAuthenticationOptions['authenticatePlaintext'], address: string): Promise<'served' | 'refused'> {
  const check = authenticatePeer(nobody, { authenticate: true, authenticatePlaintext: rule })
  return check(new Metadata(), { identities: [], address, encrypted: false }).then(
    ({ identities }) => (identities.length === 0 ? 'served' : 'refused'),
    () => 'refused' as const,
  )
}

test('in plain text, from outside, nobody is served without proof; on loopback only what needs none', async () => {
  const loopback = ['127.0.0.1:4711', '127.9.9.9:1', '[::1]:4711', '[::ffff:127.0.0.1]:4711', '::ffff:127.0.0.1:4711']
  const outside = ['10.0.0.7:4711', '[fd00::7]:4711', '[::ffff:10.0.0.7]:4711', '128.0.0.1:1', '127.0.0.1.example:1', '', 'unix:/socket']
  for (const address of loopback) expect(await verdict('outside', address), address).toBe('served')
  for (const address of outside) expect(await verdict('outside', address), address).toBe('refused')
  expect(await verdict('always', '127.0.0.1:4711')).toBe('refused')
  expect(await verdict('never', '10.0.0.7:4711')).toBe('served')
})
