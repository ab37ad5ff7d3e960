/** The certificates that a proxy holds. Keys are redacted by Envoy and never looked at. */
import { X509Certificate } from 'node:crypto'
import { CommandError } from '../shell/exit-codes.ts'
import type { ConfigDump } from './dump.ts'
import { at, list, text } from './fields.ts'

export interface SecretRow {
  readonly name: string
  /** `Cert Chain` or `CA`; empty when the certificate cannot be read. */
  readonly type: string
  readonly state: string
  readonly valid: boolean
  readonly serial: string
  readonly notAfter: string
  readonly notBefore: string
  /** Of a bundle for several trust domains. */
  readonly trustDomain: string
}

/** One row a certificate, warming secrets first. `now` decides validity. */
export function secretsOf(dump: ConfigDump, now: Date): SecretRow[] {
  const section = dump.section('SecretsConfigDump')
  const warming = list(at(section, 'dynamic_warming_secrets')).flatMap((entry) => rowsOf(entry, 'WARMING', now))
  const active = list(at(section, 'dynamic_active_secrets')).flatMap((entry) =>
    rowsOf(entry, text(at(entry, 'version_info')) === 'uninitialized' ? 'UNINITIALIZED' : 'ACTIVE', now),
  )
  return [...warming, ...active]
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** SHA-256 fingerprints of the roots that a proxy trusts. @throws CommandError when it has no secret of them, or none that can be read */
export function rootFingerprintsOf(dump: ConfigDump): string[] {
  const active = list(at(dump.section('SecretsConfigDump'), 'dynamic_active_secrets'))
  const entry = active.find((each) => text(at(each, 'name')) === 'ROOTCA')
  if (entry === undefined) throw new CommandError('cannot find ROOTCA from secret')
  const context = at(entry, 'secret', 'validation_context')
  const bundles = list(at(context, 'custom_validator_config', 'typed_config', 'trust_domains')).map((each) => at(each, 'trust_bundle'))
  const found = [at(context, 'trusted_ca'), ...bundles].flatMap((source) => pemOf(source).match(CERTIFICATES) ?? [])
  if (found.length === 0) throw new CommandError('the ROOTCA secret has no certificate in it: see "lateen proxy-config secret"')
  return found.map((pem) => new X509Certificate(pem).fingerprint256)
}

function rowsOf(entry: unknown, state: string, now: Date): SecretRow[] {
  const secret = at(entry, 'secret')
  const row = { name: text(at(entry, 'name')), state }
  const bundles = list(at(secret, 'validation_context', 'custom_validator_config', 'typed_config', 'trust_domains'))
  if (bundles.length > 0) {
    return bundles.map((bundle) => ({
      ...row,
      ...describe(at(bundle, 'trust_bundle'), now),
      trustDomain: text(at(bundle, 'name')),
    }))
  }
  const chain = at(secret, 'tls_certificate', 'certificate_chain')
  const described = describe(chain ?? at(secret, 'validation_context', 'trusted_ca'), now)
  return [{ ...row, ...described, trustDomain: chain === undefined ? '' : (described.trustDomain ?? '') }]
}

type Described = Pick<SecretRow, 'type' | 'valid' | 'serial' | 'notAfter' | 'notBefore'> & { readonly trustDomain?: string }

const UNREADABLE: Described = { type: '', valid: false, serial: '', notAfter: '', notBefore: '' }

/** @param source a DataSource with PEM text */
function describe(source: unknown, now: Date): Described {
  try {
    const certificate = new X509Certificate(pemOf(source))
    const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)]
    return {
      type: certificate.ca ? 'CA' : 'Cert Chain',
      valid: now > from && now < to,
      serial: certificate.serialNumber.toLowerCase(),
      notAfter: seconds(to),
      notBefore: seconds(from),
      ...trustDomainOf(certificate),
    }
  } catch {
    return UNREADABLE
  }
}

/** @param source a DataSource */
function pemOf(source: unknown): string {
  const inline = text(at(source, 'inline_bytes'))
  return inline ? Buffer.from(inline, 'base64').toString('utf8') : text(at(source, 'inline_string'))
}

function trustDomainOf(certificate: X509Certificate): { trustDomain?: string } {
  const found = /URI:spiffe:\/\/([^/,]+)/.exec(certificate.subjectAltName ?? '')?.[1]
  return found === undefined ? {} : { trustDomain: found }
}

const seconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')

const HEADINGS = ['RESOURCE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE']

/** The table; trust domains have a column when a bundle names them. */
export function secretTable(rows: readonly SecretRow[], prefix = ''): { headings: string[]; rows: string[][]; padding: number } {
  const federated = rows.some(isFederatedBundle)
  return {
    padding: 5,
    headings: [...HEADINGS, ...(federated ? ['TRUST DOMAIN'] : [])],
    rows: rows.map((row) => [
      `${prefix}${row.name}`,
      row.type,
      row.state,
      String(row.valid),
      row.serial,
      row.notAfter,
      row.notBefore,
      ...(federated ? [row.trustDomain] : []),
    ]),
  }
}

/** Only a bundle for several trust domains names one. */
const isFederatedBundle = ({ type, trustDomain }: SecretRow): boolean => type === 'CA' && trustDomain !== ''
