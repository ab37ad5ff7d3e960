import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedMessage, readCertificateRequest, writeCertificateResponse } from './certificate-messages.ts'

test('reads the CSR and the lifetime, and passes over fields that it does not know', () => {
  const csr = Buffer.from('PEM')
  const metadata = Buffer.from([0x22, 3, 0x0a, 1, 0])
  const bytes = Buffer.concat([Buffer.from([0x0a, csr.length]), csr, Buffer.from([0x18, 0x80, 0xa3, 0x05]), metadata])
  expect(readCertificateRequest(bytes)).toEqual({ csr: 'PEM', validitySeconds: 86_400, signer: '' })
})

test('the signer that a proxy asks for is a text of the metadata', () => {
  const field = (number: number, ...parts: Buffer[]) => {
    const content = Buffer.concat(parts)
    return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])
  }
  const entry = (key: string, value: string) => field(1, field(1, Buffer.from(key)), field(2, field(3, Buffer.from(value))))
  const request = field(4, entry('workload', 'cart'), entry('CertSigner', 'team-a'))
  expect(readCertificateRequest(request).signer).toBe('team-a')
})

test('a negative lifetime is read as such', () => {
  expect(readCertificateRequest(Buffer.from([0x18, ...Array.from({ length: 9 }, () => 0xff), 0x01])).validitySeconds).toBe(-1)
})

test('any bytes are read or refused, never worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        readCertificateRequest(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMessage)
      }
    }),
  )
})

test('the response is field 1, repeated, in order', () => {
  const long = 'x'.repeat(300)
  expect(writeCertificateResponse(['ab', long])).toEqual(
    Buffer.concat([Buffer.from([0x0a, 2]), Buffer.from('ab'), Buffer.from([0x0a, 0xac, 0x02]), Buffer.from(long)]),
  )
})
