/** `ca status`: who signs, until when, and how far a change of the root has come. */
import { withCluster } from '../../cluster/connect.ts'
import { command, HOME_FLAG, OUTPUT_FLAG } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { readRecord } from './record.ts'
import { type CaReport, renderReport, reportOf } from './report.ts'

export const status = command<CaReport>({
  help: "Shows the mesh's CA: where it comes from, its root, when that expires, and how far a change of the root has come.",
  flags: [...KUBE_FLAGS, OUTPUT_FLAG, HOME_FLAG],
  examples: ['lateen ca status', 'lateen ca status -o json'],
  run: (context) =>
    withCluster(context, async (cluster) => {
      const report = reportOf(await readRecord(cluster), Date.now())
      if (!report) throw new CommandError('the control plane has not noted its CA yet; is a leader running?')
      return report
    }),
  render: (report) => renderReport(report),
})
