/** Sets of root certificates. */
import { inspect } from './inspect.ts'
import { splitCertificates } from './pem.ts'

/**
 * One PEM text of all roots in the given texts: each root once, in the order first seen, so that equal sets given in the same
 * order have equal bytes.
 *
 * @throws CaError when a text holds no certificate or one that cannot be read
 */
export function joinTrustBundle(...texts: readonly string[]): string {
  const roots = new Map<string, string>()
  for (const text of texts) {
    for (const pem of splitCertificates(text, 'the trust bundle')) {
      const { fingerprint } = inspect(pem)
      if (!roots.has(fingerprint)) roots.set(fingerprint, pem)
    }
  }
  return [...roots.values()].join('')
}
