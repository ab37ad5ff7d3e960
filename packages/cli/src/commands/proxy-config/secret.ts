import type { ConfigDump } from '../../config-dump/dump.ts'
import type { Fields } from '../../config-dump/fields.ts'
import { secretsOf, secretTable } from '../../config-dump/secrets.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { message, tableOf, wantsData } from './report.ts'
import { foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const secret = command<string>({
  help: 'The certificates that a proxy has, and whether they are valid now. Private keys are never shown.',
  args: [POD_ARGUMENT],
  flags: [OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config secret POD.NAMESPACE', 'lateen proxy-config secret POD.NAMESPACE -o json'],
  async run(context) {
    const dump = await readDump(context, PARTS.secrets)
    return foundIn(context, dump, wantsData(context.flags) ? asMessage(context, dump) : secretText(dump))
  },
  render: (text) => text,
})

/** @param prefix before the names of the secrets */
export function secretText(dump: ConfigDump, prefix = ''): string {
  const rows = secretsOf(dump, new Date())
  return rows.length === 0 ? 'No active or warming secrets found.' : tableOf(secretTable(rows, prefix))
}

const asMessage = (context: Context, dump: ConfigDump) => message(context, 'envoy.admin.v3.SecretsConfigDump', sectionOf(dump))

function sectionOf(dump: ConfigDump): Fields {
  try {
    return dump.section('SecretsConfigDump')
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(`sidecar doesn't support secrets: ${error.message}`, { cause: error }) : error
  }
}
