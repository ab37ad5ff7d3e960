import { CLUSTER_HEADINGS, type ClusterFilter, clusterRow, clustersOf } from '../../config-dump/clusters.ts'
import type { ConfigDump } from '../../config-dump/dump.ts'
import { type Fields, text } from '../../config-dump/fields.ts'
import type { Shown } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { clusterFilter, DIRECTION, FQDN, PORT, SUBSET } from './filters.ts'
import { renderTable, report } from './report.ts'
import { filtered, foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

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
    const dump = await readDump(context, PARTS.clusters)
    const found = clustersIn(dump, clusterFilter(context.flags))
    return foundIn(
      context,
      dump,
      report(context, 'envoy.config.cluster.v3.Cluster', found, () => clusterTable(found)),
    )
  },
  render: renderTable,
})

/** @throws CommandError when the dump has no clusters */
export const clustersIn = (dump: ConfigDump, filter: ClusterFilter): readonly Fields[] =>
  filtered((wanted?: ClusterFilter) => clustersOf(dump, wanted), filter, 'clusters')

const PADDING = 5

const clusterTable = (found: readonly Fields[]): Shown => ({
  headings: CLUSTER_HEADINGS,
  rows: found.map(clusterRow),
  padding: PADDING,
})

/** As part of `proxy-config all`: with the cluster's name, and its kind before the name of what is no service. */
export const namedClusterTable = (found: readonly Fields[]): Shown => ({
  headings: ['NAME', ...CLUSTER_HEADINGS],
  rows: found.map((each) => {
    const name = `cluster/${text(each['name'])}`
    const [host = '', port = '', ...rest] = clusterRow(each)
    return [name, port === '-' ? name : host, port, ...rest]
  }),
  padding: PADDING,
})
