import fc from 'fast-check'
import { expect, test } from 'vitest'
import { familyOf, ipv4Within, ipv6Carrying } from './ip-family.ts'

const PREFIX = 'fd00:10:96::'

test('an IPv6 address gives back the IPv4 address that it carries', () => {
  const octet = fc.integer({ min: 0, max: 255 })
  const address = fc.tuple(fc.integer({ min: 1, max: 255 }), octet, octet, octet).map((octets) => octets.join('.'))
  fc.assert(fc.property(address, (ipv4) => ipv4Within(PREFIX, ipv6Carrying(PREFIX, ipv4)) === ipv4))
})

test.each([['fd00:10:97::a60:1'], ['10.96.0.1'], ['fd00:10:96::'], ['fd00:10:96::1:a60:1'], ['no address'], ['fd00:10:96::a60:1%eth0']])(
  '%s carries none',
  (text) => {
    expect(ipv4Within(PREFIX, text)).toBeUndefined()
  },
)

test('leading zeros and upper case are the same address', () => {
  expect(ipv4Within(PREFIX, 'FD00:0010:0096::0A60:0001')).toBe('10.96.0.1')
  expect(familyOf('fd00::1')).toBe('IPv6')
  expect(familyOf('10.0.0.1')).toBe('IPv4')
})
