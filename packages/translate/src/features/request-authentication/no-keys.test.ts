import { createHash, createPublicKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { NO_KEYS, NO_KEYS_TEXT } from './no-keys.ts'

test('the key is a point of the curve that was found by hashing, so that nobody knows its private number', () => {
  const { keys } = JSON.parse(NO_KEYS) as { keys: { kty: string; crv: string; x: string; y: string }[] }
  const [key] = keys
  expect(keys).toHaveLength(1)
  expect(key?.x).toBe(createHash('sha256').update(NO_KEYS_TEXT).digest('base64url'))
  // Node refuses points that are not on the curve.
  const made = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: key?.x ?? '', y: key?.y ?? '' } })
  expect(made.asymmetricKeyType).toBe('ec')
})
