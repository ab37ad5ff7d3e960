import { bootstrapSummary } from '../../config-dump/bootstrap.ts'
import { canonical } from '../../config-dump/proto-json.ts'
import { definitions } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { wantsData } from './report.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const bootstrap = command({
  help: 'What a proxy was started with; with -o short only the versions of mesh, proxy and Envoy.',
  args: [POD_ARGUMENT],
  flags: [{ ...OUTPUT, default: 'json' }, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config bootstrap POD.NAMESPACE', 'lateen proxy-config bootstrap POD.NAMESPACE -o short'],
  async run(context) {
    const dump = await readDump(context)
    if (!wantsData(context.flags)) return definitions(bootstrapSummary(dump))
    const [section] = await canonical('envoy.admin.v3.BootstrapConfigDump', [dump.section('BootstrapConfigDump')])
    return section
  },
  render: String,
})
