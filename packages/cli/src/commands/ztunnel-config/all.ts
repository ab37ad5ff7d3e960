/** `ztunnel-config all`: every table, one after another; as JSON the dump as ztunnel gave it. */
import { stringify } from 'yaml'
import { table } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
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
import { readDump, ZTUNNEL_ARGUMENT, ZTUNNEL_FLAGS } from './source.ts'

export const all = command({
  help: 'Everything that a ztunnel has: workloads, services, policies, certificates, connections.',
  args: [ZTUNNEL_ARGUMENT],
  flags: [{ name: 'with-headers', help: 'names above the tables' }, ...ZTUNNEL_FLAGS],
  examples: ['lateen ztunnel-config all', 'lateen ztunnel-config all --node NODE -o json > ztunnel.json'],
  async run(context) {
    const dump = await readDump(context)
    const format = context.flags.text('output')
    if (format === 'json') return text(dump.json)
    if (format === 'yaml') return text(stringify(JSON.parse(dump.json), { aliasDuplicateObjects: false }))
    return text(tables(dump, context.flags.on('with-headers')))
  },
})

async function* text(body: string): AsyncGenerator<string> {
  yield body.endsWith('\n') ? body : `${body}\n`
}

function tables(dump: ZtunnelDump, titled: boolean): string {
  const parts = [
    ['WORKLOAD', workloadTable(dump, workloadsOf(dump, {}))],
    ['SERVICE', serviceTable(dump, servicesOf(dump))],
    ['POLICY', policyTable(policiesOf(dump))],
    ['SECRET', certificateTable(dump.certificates, new Date())],
    ['CONNECTIONS', connectionTable(dump, connectionsOf(dump), {})],
  ] as const
  return parts
    .map(([title, { headings, rows }]) => `${titled ? `\n------ ${title} INFO ------\n` : ''}\n${table(headings, rows)}\n`)
    .join('')
}
