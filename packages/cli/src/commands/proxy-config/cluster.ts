import { CLUSTER_HEADINGS, clusterRow, clustersOf } from '../../config-dump/clusters.ts'
import { command } from '../../shell/command.ts'
import { clusterFilter, DIRECTION, FQDN, PORT, SUBSET } from './filters.ts'
import { renderTable, report } from './report.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const cluster = command({
  help: 'The clusters that a proxy has: service, port, subset, direction, how endpoints are found, and the DestinationRule applied.',
  args: [POD_ARGUMENT],
  flags: [FQDN, PORT, SUBSET, DIRECTION, OUTPUT, ...SOURCE_FLAGS],
  examples: [
    'lateen proxy-config clusters deployment/productpage-v1',
    'lateen proxy-config clusters POD.NAMESPACE --fqdn reviews --direction outbound -o json',
    'lateen proxy-config clusters --file config_dump.json',
  ],
  async run(context) {
    const found = clustersOf(await readDump(context), clusterFilter(context.flags))
    return report(context, 'envoy.config.cluster.v3.Cluster', found, () => ({ headings: CLUSTER_HEADINGS, rows: found.map(clusterRow) }))
  },
  render: renderTable,
})
