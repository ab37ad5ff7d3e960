import { ASSIGNMENT_HEADINGS, assignmentRows, assignmentsOf } from '../../config-dump/endpoints.ts'
import type { Fields } from '../../config-dump/fields.ts'
import type { Shown } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { ADDRESS, CLUSTER, endpointFilter, PORT, STATUS } from './filters.ts'
import { renderTable, report } from './report.ts'
import { foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const eds = command({
  help: 'The endpoints that a proxy was given, with their localities; "proxy-config endpoint" shows what it makes of them. A file holds a config dump that was taken with ?include_eds.',
  args: [POD_ARGUMENT],
  flags: [ADDRESS, PORT, CLUSTER, STATUS, OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config eds POD.NAMESPACE --port 9080', 'lateen proxy-config eds --file config_dump.json -o json'],
  async run(context) {
    const dump = await readDump(context, PARTS.withEndpoints)
    const found = assignmentsOf(dump, endpointFilter(context.flags))
    return foundIn(
      context,
      dump,
      report(context, 'envoy.config.endpoint.v3.ClusterLoadAssignment', found, () => assignmentTable(found)),
    )
  },
  render: renderTable,
})

export const assignmentTable = (found: readonly Fields[]): Shown => ({
  headings: ASSIGNMENT_HEADINGS,
  rows: found.flatMap(assignmentRows),
  padding: 5,
})
