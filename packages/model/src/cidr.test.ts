import { expect, test } from 'vitest'
import { canonicalAddress, canonicalRange } from './cidr.ts'

test.each([
  ['FD00:0:0::1', 'fd00::1'],
  ['fd00::1', 'fd00::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
  ['10.0.0.1', '10.0.0.1'],
  ['not::an::address', 'not::an::address'],
])('the address %s is written %s', (text, written) => {
  expect(canonicalAddress(text)).toBe(written)
})

test('equal ranges have equal texts', () => {
  expect(canonicalRange('10.1.2.3/8')).toBe('10.0.0.0/8')
  expect(canonicalRange('10.0.0.1')).toBeUndefined()
})
