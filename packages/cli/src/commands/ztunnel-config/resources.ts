/** `ztunnel-config workload|service|policy|certificate|connections`: one kind of a ztunnel's state each. */
import type { Fields } from '../../config-dump/fields.ts'
import type { Shown } from '../../render/table.ts'
import { type Command, type Context, command, type Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import type { ZtunnelDump } from '../../ztunnel-dump/dump.ts'
import { certificateShape, policyShape, serviceShape, stateShape, workloadShape } from '../../ztunnel-dump/shapes.ts'
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
import { documents, renderTable, wantsData } from '../proxy-config/report.ts'
import { foundIn } from '../proxy-config/source.ts'
import { readDump, type Several, ZTUNNEL_ARGUMENT, ZTUNNEL_FLAGS } from './source.ts'

interface Kind {
  /** As in examples. */
  readonly name: string
  readonly help: string
  readonly flags?: readonly Flag[]
  find(dump: ZtunnelDump, flags: Context['flags']): readonly Fields[]
  /** For what each ztunnel has of its own. */
  readonly several?: Several
  /** One of what was found, as data. */
  shape(found: Fields): Fields
  show(dump: ZtunnelDump, found: readonly Fields[], flags: Context['flags']): Shown
}

function kindCommand({ name, help, flags = [], several, find, shape, show }: Kind): Command {
  return command<unknown>({
    help,
    args: [ZTUNNEL_ARGUMENT],
    flags: [...flags, ...ZTUNNEL_FLAGS],
    examples: [
      `lateen ztunnel-config ${name}`,
      `lateen ztunnel-config ${name} --node NODE -o json`,
      `lateen ztunnel-config ${name} --file ztunnel.json`,
    ],
    async run(context) {
      const dump = await readDump(context, several)
      const found = find(dump, context.flags)
      return foundIn(context, dump, wantsData(context.flags) ? documents(context.flags, found, shape) : show(dump, found, context.flags))
    },
    render: renderTable,
  })
}

const namespaceFlag = (name: string, what: string): Flag => ({ name, value: 'NAMESPACE', help: `${what} of this namespace` })

export const workload = kindCommand({
  name: 'workload',
  help: 'The workloads that a ztunnel knows: where they run, by which protocol they are reached, through which waypoint.',
  flags: [
    { name: 'address', value: 'IP', help: 'workloads with this address' },
    namespaceFlag('workload-namespace', 'workloads'),
    { name: 'workload-node', value: 'NODE', help: 'workloads on this node' },
  ],
  find: (dump, flags) =>
    workloadsOf(dump, {
      address: flags.text('address'),
      namespace: flags.text('workload-namespace'),
      node: flags.text('workload-node'),
    }),
  shape: workloadShape,
  show: workloadTable,
})

export const service = kindCommand({
  name: 'service',
  help: 'The services that a ztunnel knows: addresses, waypoint, healthy endpoints of all.',
  flags: [namespaceFlag('service-namespace', 'services')],
  find: (dump, flags) => servicesOf(dump, flags.text('service-namespace')),
  shape: serviceShape,
  show: serviceTable,
})

export const policy = kindCommand({
  name: 'policy',
  help: 'The authorization policies that a ztunnel enforces.',
  flags: [namespaceFlag('policy-namespace', 'policies')],
  find: (dump, flags) => policiesOf(dump, flags.text('policy-namespace')),
  shape: policyShape,
  show: (_dump, found) => policyTable(found),
})

export const certificate = kindCommand({
  name: 'certificate',
  help: 'The certificates that a ztunnel holds for the workloads of its node, and whether they are valid now.',
  several: 'none',
  find: (dump) => dump.certificates,
  shape: certificateShape,
  show: (_dump, found) => certificateTable(found, new Date()),
})

const DIRECTIONS = ['inbound', 'outbound']

export const connections = kindCommand({
  name: 'connections',
  help: 'The connections that a ztunnel holds now. Addresses are shown as names where they are known.',
  flags: [
    { name: 'direction', value: 'DIRECTION', suggestions: ['inbound', 'outbound'], help: 'inbound or outbound' },
    namespaceFlag('workload-namespace', 'connections of workloads'),
    { name: 'raw', help: 'addresses, not names' },
  ],
  several: 'none',
  find: (dump, flags) => connectionsOf(dump, flags.text('workload-namespace')),
  shape: stateShape,
  show: (dump, found, flags) => {
    const direction = flags.text('direction')
    if (direction !== undefined && !DIRECTIONS.includes(direction)) {
      throw new CommandError(`--direction ${direction}: inbound or outbound is wanted`, { exitCode: EXIT.usage })
    }
    return connectionTable(dump, found, { direction, raw: flags.on('raw') })
  },
})
