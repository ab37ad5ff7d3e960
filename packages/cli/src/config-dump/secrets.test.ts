/** Certificates in dumps of own writing: each state, each way to be invalid. */
import { X509Certificate } from 'node:crypto'
import { createSelfSignedRoot } from '@lateen/ca'
import { describe, expect, test } from 'vitest'
import { readConfigDump } from './dump.ts'
import { rootFingerprintsOf, secretsOf, secretTable } from './secrets.ts'

const NOW = Date.parse('2030-06-01T00:00:00Z')
const DAY = 86_400_000
const root = (now: number, organization = 'cluster.local') => createSelfSignedRoot({ organization, now, ttlMs: 10 * DAY }).certPem

const inline = (pem: string) => ({ inline_bytes: Buffer.from(pem).toString('base64') })
const trusted = (source: object) => ({ validation_context: { trusted_ca: source } })
const entry = (name: string, secret: object | undefined, more: object = {}) => ({ name, ...(secret && { secret }), ...more })

const dump = (fields: object) =>
  readConfigDump(JSON.stringify({ configs: [{ '@type': 'type.googleapis.com/envoy.admin.v3.SecretsConfigDump', ...fields }] }), 'dump.json')

const CURRENT = root(NOW)
const CELLS = (pem: string) => {
  const { serialNumber, validFrom, validTo } = new X509Certificate(pem)
  const time = (text: string) => new Date(text).toISOString().replace('.000Z', 'Z')
  return [serialNumber.toLowerCase(), time(validTo), time(validFrom)]
}

describe('secrets', () => {
  const [EXPIRED, FUTURE] = [root(NOW - 30 * DAY), root(NOW + 30 * DAY)]
  const rows = secretTable(
    secretsOf(
      dump({
        static_secrets: [entry('static', trusted(inline(CURRENT)))],
        dynamic_active_secrets: [
          entry('ROOTCA', trusted(inline(CURRENT)), { version_info: '1' }),
          entry('expired', trusted(inline(EXPIRED))),
          entry('not yet', trusted(inline(FUTURE))),
          entry('text', trusted({ inline_string: CURRENT })),
          entry('two', trusted(inline(`${CURRENT}${EXPIRED}`))),
          entry('file', trusted({ filename: '/etc/certs/root.pem' })),
          entry('redacted', { tls_certificate: { certificate_chain: inline('[redacted]'), private_key: inline('[redacted]') } }),
          entry('pending', undefined, { version_info: 'uninitialized' }),
        ],
        dynamic_warming_secrets: [entry('kubernetes://gateway', undefined, { version_info: 'uninitialized' })],
      }),
      new Date(NOW + DAY),
    ),
  ).rows

  test('that wait come first; those of the bootstrap are left out', () => {
    expect(rows.map(([name, , state]) => [name, state])).toEqual([
      ['kubernetes://gateway', 'WARMING'],
      ...['ROOTCA', 'expired', 'not yet', 'text', 'two', 'file', 'redacted'].map((name) => [name, 'ACTIVE']),
      ['pending', 'UNINITIALIZED'],
    ])
  })

  test.each([
    ['ROOTCA', ['CA', 'ACTIVE', 'true', ...CELLS(CURRENT)]],
    ['expired', ['CA', 'ACTIVE', 'false', ...CELLS(EXPIRED)]],
    ['not yet', ['CA', 'ACTIVE', 'false', ...CELLS(FUTURE)]],
    ['text', ['CA', 'ACTIVE', 'true', ...CELLS(CURRENT)]],
    ['two', ['CA', 'ACTIVE', 'true', ...CELLS(CURRENT)]],
    ['file', ['', 'ACTIVE', 'false', '', '', '']],
    ['redacted', ['', 'ACTIVE', 'false', '', '', '']],
    ['kubernetes://gateway', ['', 'WARMING', 'false', '', '', '']],
  ])('%s is %j', (name, cells) => {
    expect(rows.find(([each]) => each === name)?.slice(1)).toEqual(cells)
  })

  test('of several trust domains have a column for it, and a line each', () => {
    const OTHER = root(NOW, 'east.local')
    const bundle = {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig',
      trust_domains: [
        { name: 'west.local', trust_bundle: inline(CURRENT) },
        { name: 'east.local', trust_bundle: inline(OTHER) },
      ],
    }
    const secret = { validation_context: { custom_validator_config: { name: 'envoy.tls.cert_validator.spiffe', typed_config: bundle } } }
    const federated = dump({ dynamic_active_secrets: [entry('ROOTCA', secret)] })
    const { headings, rows: found } = secretTable(secretsOf(federated, new Date(NOW)), 'secret/')
    expect(headings.at(-1)).toBe('TRUST DOMAIN')
    expect(found.map((row) => [row[0], row.at(-1)])).toEqual([
      ['secret/ROOTCA', 'west.local'],
      ['secret/ROOTCA', 'east.local'],
    ])
    expect(rootFingerprintsOf(federated)).toEqual([CURRENT, OTHER].map((pem) => new X509Certificate(pem).fingerprint256))
  })
})

describe('the roots that a proxy trusts', () => {
  test('are all certificates of its bundle', () => {
    const OTHER = root(NOW)
    const found = rootFingerprintsOf(dump({ dynamic_active_secrets: [entry('ROOTCA', trusted(inline(`${CURRENT}${OTHER}`)))] }))
    expect(found).toEqual([CURRENT, OTHER].map((pem) => new X509Certificate(pem).fingerprint256))
  })

  test.each([
    ['no secret of that name', { dynamic_active_secrets: [entry('default', {})] }, /cannot find ROOTCA from secret/],
    ['nothing in it', { dynamic_active_secrets: [entry('ROOTCA', {})] }, /has no certificate in it/],
  ])('with %s cannot be told', (_what, fields, message) => {
    expect(() => rootFingerprintsOf(dump(fields))).toThrow(message)
  })
})
