import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DerError, oid, oidText, readChildren, readElement, sequence, time, tlv, unsignedInteger } from './der.ts'

test('what is written is read back, whatever its length', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }), (items) => {
      const read = readChildren(readElement(sequence(...items.map((item) => tlv(0x04, item)))).content)
      expect(read.map((e) => [...e.content])).toEqual(items.map((item) => [...item]))
    }),
  )
})

test('object identifiers come back as they were', () => {
  const arc = fc.nat(2 ** 31)
  fc.assert(
    fc.property(fc.nat(2), fc.nat(39), fc.array(arc, { maxLength: 8 }), (first, second, rest) => {
      const text = [first, second, ...rest].join('.')
      expect(oidText(readElement(oid(text)).content)).toBe(text)
    }),
  )
})

test('any bytes are read or refused with a DerError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        readChildren(readElement(Buffer.from(bytes)).content)
      } catch (error) {
        expect(error).toBeInstanceOf(DerError)
      }
    }),
  )
})

test('integers are positive and shortest', () => {
  expect(unsignedInteger(Buffer.from([0, 0, 0x80])).toString('hex')).toBe('02020080')
  expect(unsignedInteger(Buffer.from([0, 0])).toString('hex')).toBe('020100')
})

test('times from 2050 on are written with four digits of the year', () => {
  expect(time(new Date('2049-12-31T23:59:59Z')).toString('latin1')).toContain('491231235959Z')
  expect(time(new Date('2050-01-01T00:00:00Z')).toString('latin1')).toContain('20500101000000Z')
})
