import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rotationTime } from './rotation.ts'

const DAY = 86_400_000
const validity = (start: number, length: number) => ({ notBefore: new Date(start), notAfter: new Date(start + length) })

test('a certificate of a day is renewed at its half, or up to 1 % of its life earlier', () => {
  expect(rotationTime(validity(0, DAY), 0)).toBe(DAY / 2)
  expect(rotationTime(validity(0, DAY), 1)).toBe(DAY * 0.49)
})

test('renewal falls into the lifetime whatever the options', () => {
  fc.assert(
    fc.property(
      fc.nat(2 ** 40),
      fc.nat(2 ** 33),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (start, length, random, graceRatio, jitterRatio) => {
        const at = rotationTime(validity(start, length), random, { graceRatio, jitterRatio })
        expect(at).toBeGreaterThanOrEqual(start)
        expect(at).toBeLessThanOrEqual(start + length)
      },
    ),
  )
})
