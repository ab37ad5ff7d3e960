/**
 * Certificate revocation lists (RFC 5280) beside a CA: read, checked, searched.
 *
 * Envoy refuses every peer once it has any list and lacks the one of any CA of the peer's chain, root included, or once a list has
 * ended. So lists are taken only when they are complete and in force for the CA's own chain.
 */
import { verify, type X509Certificate } from 'node:crypto'
import { algorithmFromDer } from './algorithms.ts'
import { issuerFields, maySignLists } from './certificate.ts'
import { type Element, expectTag, readChildren, readElement, TAG } from './der.ts'
import { CaError } from './errors.ts'
import { blocksOf, toPem } from './pem.ts'

export interface RevocationList {
  /** The distinguished name of the CA that it is of, as names are compared. */
  readonly issuer: string
  readonly thisUpdate: Date
  /** When it has to be replaced; absent when it says nothing. */
  readonly nextUpdate: Date | undefined
  /** Serial numbers as hexadecimal in capitals without leading zeros. */
  readonly serials: ReadonlySet<string>
  readonly pem: string
  /** Whether this is a list of that CA, by name and signature. */
  readonly isOf: (authority: X509Certificate) => boolean
}

const LABEL = 'X509 CRL'
/** Two bytes a letter. */
const BMP_STRING = 0x1e
const MAX_LISTS = 64
/** As much as a Secret or ConfigMap holds. */
const MAX_FILE_BYTES = 1 << 20
/** The files of two CAs, while one takes the place of the other, with lines of another length. */
const MAX_BYTES = 3 * MAX_FILE_BYTES
const MAX_REVOKED = 50_000

/**
 * The lists of a PEM text; other blocks are passed over.
 *
 * @throws CaError with code REVOCATION_UNUSABLE when one cannot be read
 */
export function readRevocationLists(pem: string): RevocationList[] {
  // A text that is passed over would revoke nobody.
  if (pem.length > MAX_BYTES) throw unusable(`more than ${MAX_BYTES} bytes`)
  const blocks = blocksOf(pem, LABEL)
  if (blocks.length > MAX_LISTS) throw unusable(`more than ${MAX_LISTS} lists`)
  return blocks.map((der, index) => {
    try {
      return readList(der)
    } catch (cause) {
      throw unusable(`list ${index + 1} cannot be read`, cause)
    }
  })
}

/**
 * The lists of `ca-crl.pem` as one text, known to be complete for the chain of a CA.
 *
 * @param authorities the signing certificate and those above it, the root included
 * @param now milliseconds of the epoch
 * @throws CaError with code REVOCATION_UNUSABLE
 */
export function checkRevocationLists(pem: string, authorities: readonly X509Certificate[], now: number): string {
  if (pem.length > MAX_FILE_BYTES) throw unusable(`it has ${pem.length} bytes; no more than ${MAX_FILE_BYTES} are passed on to proxies`)
  const lists = readRevocationLists(pem)
  if (lists.length === 0) throw unusable('no list is in it; expected PEM text with "-----BEGIN X509 CRL-----"')
  for (const authority of authorities) {
    const name = authority.subject.replaceAll('\n', ', ')
    const list = lists.find(({ isOf }) => isOf(authority))
    if (!list)
      throw unusable(`no list in it is signed by "${name}"; add one, if only an empty one: of every CA up to the root there must be one`)
    if (!maySignLists(authority)) throw unusable(`the certificate of "${name}" may not sign lists: its key usage lacks cRLSign`)
    if (list.thisUpdate.getTime() > now) throw unusable(`the list of "${name}" is not in force before ${list.thisUpdate.toISOString()}`)
    if (list.nextUpdate && list.nextUpdate.getTime() <= now)
      throw unusable(`the list of "${name}" ended at ${list.nextUpdate.toISOString()}; put a newer one in place`)
  }
  return lists.map((list) => list.pem).join('')
}

/**
 * Checks that lists do not lock out the certificates that another intermediate of the same root has signed before.
 *
 * @throws CaError with code REVOCATION_UNUSABLE when the intermediate has no list, and is not revoked itself
 */
export function checkListsOfFormer(pem: string, former: X509Certificate): void {
  const lists = readRevocationLists(pem)
  if (lists.length === 0 || lists.some(({ isOf }) => isOf(former)) || isRevoked(former, lists)) return
  const name = former.subject.replaceAll('\n', ', ')
  throw unusable(`no list in it is signed by "${name}", of which proxies still have certificates; add one, if only an empty one`)
}

/** When the first of some lists has to be replaced, after which Envoy refuses everybody; absent where none says. */
export function endOfLists(lists: readonly RevocationList[]): Date | undefined {
  return lists.flatMap(({ nextUpdate }) => nextUpdate ?? []).toSorted((a, b) => a.getTime() - b.getTime())[0]
}

/** Whether a list revokes a certificate. */
export function isRevoked(certificate: X509Certificate, lists: readonly RevocationList[]): boolean {
  const issuer = issuerName(certificate)
  const serial = certificate.serialNumber.replace(/^0+(?=.)/, '')
  return lists.some((list) => list.issuer === issuer && list.serials.has(serial))
}

function readList(der: Buffer): RevocationList {
  const [tbs, algorithmId, signature] = readChildren(expectTag(readElement(der), TAG.sequence).content, 3)
  const fields = readChildren(expectTag(tbs, TAG.sequence).content, 7)
  // The version is absent in lists of version 1.
  const [, issuer, thisUpdate, ...rest] = fields[0]?.tag === TAG.integer ? fields.slice(1) : fields
  const [nextUpdate, revoked] = isTime(rest[0]) ? [rest[0], rest[1]] : [undefined, rest[0]]
  const name = comparable(expectTag(issuer, TAG.sequence))
  const known = algorithmFromDer(Buffer.from(expectTag(algorithmId, TAG.sequence).whole))
  const signed = expectTag(tbs, TAG.sequence).whole
  const bits = expectTag(signature, TAG.bitString).content.subarray(1)
  return {
    issuer: name,
    thisUpdate: dateOf(thisUpdate),
    nextUpdate: nextUpdate && dateOf(nextUpdate),
    serials: serialsOf(revoked),
    pem: toPem(LABEL, der),
    isOf: (authority) =>
      known !== undefined &&
      known.keyType === authority.publicKey.asymmetricKeyType &&
      comparable(readElement(issuerFields(authority).subject)) === name &&
      verify(known.algorithm.hash, signed, authority.publicKey, bits),
  }
}

function serialsOf(revoked: Element | undefined): ReadonlySet<string> {
  if (revoked?.tag !== TAG.sequence) return new Set()
  const entries = readChildren(revoked.content, MAX_REVOKED)
  const serial = (entry: Element) => expectTag(readElement(expectTag(entry, TAG.sequence).content), TAG.integer).content
  return new Set(
    entries.map((entry) =>
      serial(entry)
        .toString('hex')
        .toUpperCase()
        .replace(/^0+(?=.)/, ''),
    ),
  )
}

const isTime = (element: Element | undefined): element is Element => element?.tag === TAG.utcTime || element?.tag === TAG.generalizedTime

/** UTCTime (`YYMMDDHHMMSSZ`, years from 1950 on) or GeneralizedTime (`YYYYMMDDHHMMSSZ`). */
function dateOf(element: Element | undefined): Date {
  const text = isTime(element) ? element.content.toString('latin1') : ''
  const full = element?.tag === TAG.utcTime ? `${text < '50' ? '20' : '19'}${text}` : text
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? []
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(date.getTime())) throw new Error('a time is not valid')
  return date
}

/** The issuer of a certificate: the field after the serial number and the algorithm. */
function issuerName(certificate: X509Certificate): string {
  const [tbs] = readChildren(readElement(certificate.raw).content, 3)
  const fields = readChildren(tbs?.content ?? Buffer.alloc(0), 16)
  return comparable(expectTag(fields[fields[0]?.tag === 0xa0 ? 3 : 2], TAG.sequence))
}

/** Names are equal whatever string type, letter case and spaces they are written with (RFC 5280, 7.1), and tools differ in these. */
function comparable(name: Element): string {
  const parts = readChildren(name.content, 64).map((part) =>
    readChildren(part.content, 8).map((attribute) => {
      const [type, value] = readChildren(attribute.content, 2)
      const text = value?.tag === BMP_STRING ? Buffer.from(value.content).swap16().toString('utf16le') : value?.content.toString('utf8')
      return [type?.content.toString('hex'), text?.trim().replaceAll(/\s+/g, ' ').toLowerCase()]
    }),
  )
  return JSON.stringify(parts)
}

const unusable = (why: string, cause?: unknown): CaError => new CaError('REVOCATION_UNUSABLE', `ca-crl.pem: ${why}`, { cause })
