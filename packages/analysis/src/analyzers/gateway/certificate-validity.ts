/**
 * When a certificate holds: the two times of an X.509 certificate, read from its DER without anything else.
 *
 * Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version OPTIONAL, serial, algorithm, issuer, validity SEQUENCE { from, to }, … } … }
 */

/** Milliseconds since 1970. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

/** Of the first certificate of a PEM text in base64 (as a Secret holds it); `undefined` when there is none that can be read. */
export function validityOf(base64Pem: string): Validity | undefined {
  const pem = decode(base64Pem)
  const [, body] = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem ?? '') ?? []
  const der = body === undefined ? undefined : decode(body)
  if (der === undefined) return undefined
  const whole = readElement(der, 0)
  const tbs = whole?.tag === SEQUENCE && whole.end === der.length ? readElement(der, whole.start) : undefined
  if (tbs?.tag !== SEQUENCE) return undefined
  const fields = readAll(der, tbs)
  const validity = fields?.[fields[0]?.tag === VERSION ? 4 : 3]
  const times = validity?.tag === SEQUENCE ? readAll(der, validity) : undefined
  const [notBefore, notAfter] = (times ?? []).map((time) => timeOf(time.tag, der.slice(time.start, time.end)))
  return notBefore === undefined || notAfter === undefined ? undefined : { notBefore, notAfter }
}

const SEQUENCE = 0x30
const VERSION = 0xa0
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
const LARGEST = 1024 * 1024

/** Each character of the result is a byte. */
function decode(base64: string): string | undefined {
  if (base64.length > LARGEST) return undefined
  try {
    return atob(base64.replaceAll(/\s/g, ''))
  } catch {
    return undefined
  }
}

interface Element {
  readonly tag: number
  readonly start: number
  readonly end: number
}

function readElement(der: string, at: number): Element | undefined {
  const first = der.charCodeAt(at + 1)
  const extra = first < 0x80 ? 0 : first - 0x80
  if (Number.isNaN(first) || extra > 4) return undefined
  let length = extra === 0 ? first : 0
  for (let i = 0; i < extra; i++) length = length * 256 + der.charCodeAt(at + 2 + i)
  const start = at + 2 + extra
  return start + length <= der.length ? { tag: der.charCodeAt(at), start, end: start + length } : undefined
}

function readAll(der: string, { start, end }: Element): Element[] | undefined {
  const elements: Element[] = []
  for (let at = start; at < end; ) {
    const element = readElement(der, at)
    if (!element || element.end > end) return undefined
    elements.push(element)
    at = element.end
  }
  return elements
}

/** `YYMMDDHHMMSSZ`, or with four digits of the year. */
function timeOf(tag: number, text: string): number | undefined {
  const [, year = '', rest = ''] =
    (tag === UTC_TIME ? /^(\d{2})(\d{10})Z$/ : tag === GENERALIZED_TIME ? /^(\d{4})(\d{10})Z$/ : /^$/).exec(text) ?? []
  const parts = rest.match(/\d{2}/g)?.map(Number)
  if (!parts) return undefined
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
  const full = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 50 ? 2000 : 1900)
  return Date.UTC(full, month - 1, day, hour, minute, second)
}
