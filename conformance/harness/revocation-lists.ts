/** `ca-crl.pem` for a plugged-in intermediate: its own list and that of its root. */
import { authorityOfEntries, authorityOfRoot, type Issued } from './authority.ts'
import type { CaEntries, Root } from './certificate-authorities.ts'

type Serial = Pick<Issued, 'serialNumber'>

export interface Revoked {
  readonly byIntermediate?: readonly Serial[]
  readonly byRoot?: readonly Serial[]
}

export async function revocationLists(
  root: Root,
  intermediate: CaEntries,
  { byIntermediate = [], byRoot = [] }: Revoked = {},
): Promise<string> {
  const own = await authorityOfEntries(intermediate)
  const above = await authorityOfRoot(root)
  return `${await own.revoke(...byIntermediate)}\n${await above.revoke(...byRoot)}\n`
}
