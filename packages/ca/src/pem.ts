/** PEM texts to DER and back. */
import { CaError, type CaErrorCode } from './errors.ts'

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g

/** A certificate chain of this size is no honest one; the largest real bundles are a few hundred kilobytes. */
const MAX_PEM = 1 << 20

/** `-----BEGIN label-----` around base64 lines of 64 characters; ends with a line break. */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der.buffer, der.byteOffset, der.byteLength)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The DER of every block whose label is one of `labels`, in order; other blocks and text between blocks are passed over. */
export function pemBlocks(pem: string, ...labels: readonly string[]): Buffer[] {
  return pem.length > MAX_PEM ? [] : blocksOf(pem, ...labels)
}

/** As {@link pemBlocks}, of a text whose length the caller has bounded. */
export function blocksOf(pem: string, ...labels: readonly string[]): Buffer[] {
  return [...pem.matchAll(BLOCK)].filter((m) => labels.includes(m[1] ?? '')).map((m) => Buffer.from(m[2] ?? '', 'base64'))
}

/**
 * The certificates of a PEM text, each as its own PEM text with the same line width.
 *
 * @throws CaError when there is none; `what` names the text in the message
 */
export function splitCertificates(pem: string, what: string, code: CaErrorCode = 'CERTIFICATE_INVALID'): string[] {
  const blocks = pemBlocks(pem, 'CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE')
  if (blocks.length === 0) throw new CaError(code, `${what} holds no certificate; expected PEM text with "-----BEGIN CERTIFICATE-----"`)
  return blocks.map((der) => toPem('CERTIFICATE', der))
}
