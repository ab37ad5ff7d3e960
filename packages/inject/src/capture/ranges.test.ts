import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatIPv6, parseIPv6, splitRanges } from './ranges.ts'

test('lists are split by family, in canonical form; what is no range is set aside', () => {
  expect(splitRanges('10.0.0.0/8,2001:DB8:0:0::/32,,nonsense,10.0.0.1')).toEqual({
    wildcard: false,
    v4: ['10.0.0.0/8'],
    v6: ['2001:db8::/32'],
    loopback: false,
    ignored: ['nonsense', '10.0.0.1'],
  })
})

test.each(['127.0.0.1/24', '::1/128'])('%s is seen to be loopback', (range) => {
  expect(splitRanges(range).loopback).toBe(true)
})

test.each(['1::2::3', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'g::', '::1%eth0', '12345::'])('%s is no IPv6 address', (text) => {
  expect(parseIPv6(text)).toBeUndefined()
})

test.each([
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:0db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ['1:0:1:0:1:0:1:0', '1:0:1:0:1:0:1:0'],
])('%s is written %s', (text, canonical) => {
  expect(formatIPv6(parseIPv6(text) ?? [])).toBe(canonical)
})

test('what is written is read back as the same address', () => {
  const words = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(words, (address) => {
      expect(parseIPv6(formatIPv6(address))).toEqual(address)
    }),
  )
})
