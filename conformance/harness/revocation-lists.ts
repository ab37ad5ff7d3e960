/** `ca-crl.pem` for a plugged-in intermediate: its own list and that of its root. */
import { authorityOf, type Issued } from './authority.ts'
import { type CaEntries, keyOf, type Root } from './certificate-authorities.ts'

export type Serial = Pick<Issued, 'serialNumber'>

export interface Revoked {
  readonly byIntermediate?: readonly Serial[]
  readonly byRoot?: readonly Serial[]
}

export async function revocationLists(
  root: Root,
  intermediate: CaEntries,
  { byIntermediate = [], byRoot = [] }: Revoked = {},
): Promise<string> {
  const own = await authorityOf(intermediate['ca-cert.pem'], intermediate['ca-key.pem'])
  const above = await authorityOf(root.pem, await keyOf(root))
  return `${await own.revoke(...byIntermediate)}\n${await above.revoke(...byRoot)}\n`
}
