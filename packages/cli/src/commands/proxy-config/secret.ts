import type { ConfigDump } from '../../config-dump/dump.ts'
import { canonical } from '../../config-dump/proto-json.ts'
import { secretsOf, secretTable } from '../../config-dump/secrets.ts'
import { command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { renderTable, wantsData } from './report.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const secret = command({
  help: 'The certificates that a proxy has, and whether they are valid now. Private keys are never shown.',
  args: [POD_ARGUMENT],
  flags: [OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config secret POD.NAMESPACE', 'lateen proxy-config secret POD.NAMESPACE -o json'],
  async run(context) {
    const dump = await readDump(context)
    return wantsData(context.flags) ? sectionOf(dump) : secretTable(secretsOf(dump, new Date()))
  },
  render: renderTable,
})

async function sectionOf(dump: ConfigDump): Promise<unknown> {
  try {
    const [section] = await canonical('envoy.admin.v3.SecretsConfigDump', [dump.section('SecretsConfigDump')])
    return section
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(`sidecar doesn't support secrets: ${error.message}`, { cause: error }) : error
  }
}
