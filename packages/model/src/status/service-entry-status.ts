/** `status.addresses` of ServiceEntries: the addresses that their hosts were given, so that they keep them. */
import { type KubeObject, objectKey, refOf } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import type { Service } from '../service.ts'
import type { WantedStatus } from './wanted-status.ts'

/** Undefined for entries whose hosts need no addresses: what an earlier need left in the status is not touched. */
export function serviceEntryStatus(context: Context, serviceEntries: Source<Service>, entry: KubeObject): WantedStatus | undefined {
  const services = context.list(serviceEntries, 'object', objectKey(entry))
  const addresses = services.flatMap(({ host, autoAddresses }) => autoAddresses.map((value) => ({ value, host })))
  if (addresses.length === 0) return undefined
  return { object: refOf(entry), generation: undefined, fields: { addresses } }
}
