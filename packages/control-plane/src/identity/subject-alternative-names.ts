/** Names of a certificate, as Node gives them. */

/** The URIs of `subjectaltname` (`URI:spiffe://…, DNS:…`); a quoted entry, which could hide a comma, is not taken. */
export function urisOf(subjectAltName: string | undefined): string[] {
  if (!subjectAltName || subjectAltName.length > 16_384 || subjectAltName.includes('"')) return []
  return subjectAltName
    .split(', ')
    .filter((entry) => entry.startsWith('URI:'))
    .map((entry) => entry.slice(4))
}
