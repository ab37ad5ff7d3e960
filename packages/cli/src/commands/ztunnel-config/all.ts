/** `ztunnel-config all`: every table, one after another; as JSON the dump as ztunnel gave it. */
import { type Context, command } from '../../shell/command.ts'
import type { ZtunnelDump } from '../../ztunnel-dump/dump.ts'
import {
  certificateTable,
  connectionsOf,
  connectionTable,
  policiesOf,
  policyTable,
  servicesOf,
  serviceTable,
  workloadsOf,
  workloadTable,
} from '../../ztunnel-dump/tables.ts'
import { document, tableOf } from '../proxy-config/report.ts'
import { foundIn } from '../proxy-config/source.ts'
import { readDump, ZTUNNEL_ARGUMENT, ZTUNNEL_FLAGS } from './source.ts'

export const all = command<unknown>({
  help: 'Everything that a ztunnel has: workloads, services, policies, certificates, connections.',
  args: [ZTUNNEL_ARGUMENT],
  flags: [{ name: 'with-headers', help: 'names above the tables' }, ...ZTUNNEL_FLAGS],
  examples: ['lateen ztunnel-config all', 'lateen ztunnel-config all --node NODE -o json > ztunnel.json'],
  async run(context) {
    const dump = await readDump(context)
    return foundIn(context, dump, textOf(dump, context.flags))
  },
})

async function* textOf(dump: ZtunnelDump, flags: Context['flags']): AsyncIterable<string> {
  const format = flags.text('output')
  if (format === 'json') yield `${dump.source.toString('utf8')}\n`
  else yield format === 'yaml' ? document(flags, dump.document) : tables(dump, flags.on('with-headers'))
}

function tables(dump: ZtunnelDump, titled: boolean): string {
  const parts = [
    ['WORKLOAD', workloadTable(dump, workloadsOf(dump, {}))],
    ['SERVICE', serviceTable(dump, servicesOf(dump))],
    ['POLICY', policyTable(policiesOf(dump))],
    ['SECRET', certificateTable(dump.certificates, new Date())],
    ['CONNECTIONS', connectionTable(dump, connectionsOf(dump), {})],
  ] as const
  return parts.map(([title, shown]) => `${titled ? `\n------ ${title} INFO ------\n` : ''}\n${tableOf(shown)}\n`).join('')
}
