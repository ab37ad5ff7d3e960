/** TCP ports of ServiceEntries without an address to tell them apart by. */
import type { Analyzer } from '../../analyzer.ts'
import type { World } from '../../world.ts'

export const protocolAddresses: Analyzer = {
  name: 'serviceentry.Analyzer',
  description: 'ServiceEntries with TCP ports and no addresses',
  inputs: ['ServiceEntry', 'MeshConfig'],
  messages: ['ServiceEntryAddressesRequired'],
  analyze(world, report) {
    if (isAllocated(world)) return
    for (const entry of world.of('ServiceEntry')) {
      if ((entry.spec.addresses ?? []).length > 0 || entry.hasStatusAddresses) continue
      for (const [i, { protocol = '' }] of (entry.spec.ports ?? []).entries()) {
        if (protocol === '' || protocol.toUpperCase() === 'TCP') {
          report('ServiceEntryAddressesRequired', entry, {}, `spec.ports[${i}].name`)
        }
      }
    }
  },
}

/** Whether the mesh gives addresses to entries that have none. */
function isAllocated(world: World): boolean {
  const metadata = world.settings.meshConfig.defaultConfig.proxyMetadata ?? {}
  if (metadata['ISTIO_META_DNS_CAPTURE'] !== 'true') return false
  return metadata['ISTIO_META_DNS_AUTO_ALLOCATE'] === 'true' || metadata['PILOT_ENABLE_IP_AUTOALLOCATE'] === 'true'
}
