import type { ConfigDump } from '../../config-dump/dump.ts'
import { ASSIGNMENT_HEADINGS, assignmentRows, assignmentsOf, type EndpointFilter } from '../../config-dump/endpoints.ts'
import { command } from '../../shell/command.ts'
import { ADDRESS, CLUSTER, endpointFilter, PORT, STATUS } from './filters.ts'
import { renderTable, report, type Shown } from './report.ts'
import { foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const eds = command({
  help: 'The endpoints that a proxy was given, with their localities; "proxy-config endpoint" shows what it makes of them. A file holds a config dump that was taken with ?include_eds.',
  args: [POD_ARGUMENT],
  flags: [ADDRESS, PORT, CLUSTER, STATUS, OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config eds POD.NAMESPACE --port 9080', 'lateen proxy-config eds --file config_dump.json -o json'],
  async run(context) {
    const dump = await readDump(context, PARTS.withEndpoints)
    const filter = endpointFilter(context.flags)
    const found = assignmentsOf(dump, filter)
    return foundIn(
      context,
      dump,
      report(context, 'envoy.config.endpoint.v3.ClusterLoadAssignment', found, () => assignmentTable(dump, filter)),
    )
  },
  render: renderTable,
})

export const assignmentTable = (dump: ConfigDump, filter: EndpointFilter): Shown => ({
  headings: ASSIGNMENT_HEADINGS,
  rows: assignmentsOf(dump, filter).flatMap(assignmentRows),
  padding: 5,
})
