import { EXTENSION_HEADINGS, extensionRow, extensionsOf } from '../../config-dump/extensions.ts'
import { command } from '../../shell/command.ts'
import { message, renderTable, wantsData } from './report.ts'
import { foundIn, OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const ecds = command({
  help: 'The filters that a proxy got apart from its listeners (extension config discovery): Wasm, telemetry.',
  args: [POD_ARGUMENT],
  flags: [OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config ecds POD.NAMESPACE'],
  async run(context) {
    const dump = await readDump(context)
    const section = dump.section('EcdsConfigDump')
    const found = wantsData(context.flags)
      ? message(context, 'envoy.admin.v3.EcdsConfigDump', section)
      : { headings: EXTENSION_HEADINGS, rows: extensionsOf(dump).map(extensionRow), padding: 5 }
    return foundIn(context, dump, found)
  },
  render: renderTable,
})
