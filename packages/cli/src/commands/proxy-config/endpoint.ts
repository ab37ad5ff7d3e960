import { HOST_HEADINGS, hostRows, isConfigDump, readClusterStatuses, statusesOf } from '../../config-dump/endpoints.ts'
import { command } from '../../shell/command.ts'
import { ADDRESS, CLUSTER, endpointFilter, PORT, STATUS } from './filters.ts'
import { renderTable, report } from './report.ts'
import { foundIn, OUTPUT, POD_ARGUMENT, readSource, SOURCE_FLAGS } from './source.ts'

export const endpoint = command({
  help: "The endpoints that a proxy sees, with their health. A file holds the answer of Envoy's /clusters?format=json.",
  args: [POD_ARGUMENT],
  flags: [ADDRESS, PORT, CLUSTER, STATUS, OUTPUT, ...SOURCE_FLAGS],
  examples: [
    'lateen proxy-config endpoints POD.NAMESPACE --status unhealthy',
    'lateen proxy-config endpoints POD.NAMESPACE --cluster "outbound|9080||reviews.default.svc.cluster.local"',
  ],
  async run(context) {
    const { content, origin } = await readSource(context, 'clusters?format=json')
    const { answer, damage } = readClusterStatuses(content, origin)
    if (isConfigDump(answer)) {
      context.progress.note(`${origin} is a config dump; its endpoints are shown by: lateen proxy-config eds --file ${origin}`)
    }
    const filter = endpointFilter(context.flags)
    const found = report(context, 'envoy.admin.v3.ClusterStatus', statusesOf(answer, filter), () => ({
      headings: HOST_HEADINGS,
      rows: hostRows(answer, filter),
      padding: 5,
    }))
    return foundIn(context, damage === undefined ? {} : { damage }, found)
  },
  render: renderTable,
})
