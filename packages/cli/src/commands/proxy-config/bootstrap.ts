import { bootstrapSummary } from '../../config-dump/bootstrap.ts'
import { definitions } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { message, wantsData } from './report.ts'
import { foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const bootstrap = command<unknown>({
  help: 'What a proxy was started with; with -o short only the versions of mesh, proxy and Envoy.',
  args: [POD_ARGUMENT],
  flags: [{ ...OUTPUT, default: 'json' }, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config bootstrap POD.NAMESPACE', 'lateen proxy-config bootstrap POD.NAMESPACE -o short'],
  async run(context) {
    const dump = await readDump(context, PARTS.bootstrap)
    const section = dump.section('BootstrapConfigDump')
    const found = wantsData(context.flags)
      ? message(context, 'envoy.admin.v3.BootstrapConfigDump', section)
      : definitions(bootstrapSummary(dump))
    return foundIn(context, dump, found)
  },
  render: String,
})
