import { expect, test } from 'vitest'
import { addressCheck } from './forbidden-addresses.ts'

const mayCall = addressCheck({ blocked: ['10.1.0.0/16'], allowed: ['127.0.0.2/32'] })

test.each([
  ...['127.0.0.1', '127.9.9.9', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255', '10.1.2.3'],
  ...['::', '::1', 'fe80::1', 'ff02::1', 'fd00:ec2::254'],
  // Other ways to write the same addresses.
  ...['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.169.254', '0:0:0:0:0:0:0:1', '64:ff9b::169.254.169.254', '64:ff9b::7f00:1'],
  ...['localhost', '', '2130706433'],
])('%s may not be called', (address) => {
  expect(mayCall(address)).toBe(false)
})

test.each(['10.2.0.1', '192.0.2.1', '2001:db8::1', '127.0.0.2'])('%s may be called', (address) => {
  expect(mayCall(address)).toBe(true)
})

test('a text that is no range is named', () => {
  expect(() => addressCheck({ blocked: ['10.0.0.0/33'], allowed: [] })).toThrow('"10.0.0.0/33" is not a range of addresses')
})
