import { EXTENSION_HEADINGS, extensionRow, extensionsOf } from '../../config-dump/extensions.ts'
import { canonical } from '../../config-dump/proto-json.ts'
import { command } from '../../shell/command.ts'
import { renderTable, wantsData } from './report.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const ecds = command({
  help: 'The filters that a proxy got apart from its listeners (extension config discovery): Wasm, telemetry.',
  args: [POD_ARGUMENT],
  flags: [OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config ecds POD.NAMESPACE'],
  async run(context) {
    const dump = await readDump(context)
    if (!wantsData(context.flags)) return { headings: EXTENSION_HEADINGS, rows: extensionsOf(dump).map(extensionRow) }
    const [section] = await canonical('envoy.admin.v3.EcdsConfigDump', [dump.section('EcdsConfigDump')])
    return section
  },
  render: renderTable,
})
