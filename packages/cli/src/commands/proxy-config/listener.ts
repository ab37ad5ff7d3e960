import type { ConfigDump } from '../../config-dump/dump.ts'
import { type Fields, text } from '../../config-dump/fields.ts'
import { CHAIN_HEADINGS, chainRows } from '../../config-dump/filter-chains.ts'
import {
  LISTENER_HEADINGS,
  type ListenerFilter,
  listenerRows,
  listenersOf,
  SHORT_LISTENER_HEADINGS,
  shortListenerRow,
  sortedListeners,
} from '../../config-dump/listeners.ts'
import type { Shown } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { ADDRESS, listenerFilter, PORT, TYPE, VERBOSE } from './filters.ts'
import { renderTable, report } from './report.ts'
import { filtered, foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const listener = command({
  help: 'The listeners that a proxy has: where they listen, what their filter chains match, and where that goes.',
  args: [POD_ARGUMENT],
  flags: [
    ...[ADDRESS, PORT, TYPE, VERBOSE],
    { name: 'waypoint', hidden: true, help: 'the filter chains by their names, and how they are chosen: for waypoints' },
    OUTPUT,
    ...SOURCE_FLAGS,
  ],
  examples: ['lateen proxy-config listeners POD.NAMESPACE --port 9080', 'lateen proxy-config listeners POD.NAMESPACE --type HTTP -o yaml'],
  async run(context) {
    const dump = await readDump(context, PARTS.listeners)
    if (context.flags.on('waypoint')) return foundIn(context, dump, chainTable(listenersIn(dump, {})))
    const found = listenersIn(dump, listenerFilter(context.flags))
    return foundIn(
      context,
      dump,
      report(context, 'envoy.config.listener.v3.Listener', found, () => listenerTable(found, context.flags)),
    )
  },
  render: renderTable,
})

/** @throws CommandError when the dump has no listeners */
export function listenersIn(dump: ConfigDump, filter: ListenerFilter): readonly Fields[] {
  // istioctl says which part of the dump it looked for.
  if (!dump.has('ListenersConfigDump')) throw new CommandError(`listener dump: ${reasonOf(() => listenersOf(dump))}`)
  return filtered((wanted?: ListenerFilter) => listenersOf(dump, wanted), filter, 'listeners')
}

function reasonOf(read: () => unknown): string {
  try {
    read()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const PADDING = 1

function listenerTable(found: readonly Fields[], flags: Context['flags']): Shown {
  const sorted = sortedListeners(found)
  if (!flags.on('verbose')) return { headings: SHORT_LISTENER_HEADINGS, rows: sorted.map(shortListenerRow), padding: PADDING }
  return { headings: LISTENER_HEADINGS, rows: sorted.flatMap(listenerRows), padding: PADDING }
}

/** As part of `proxy-config all`: with the listeners' names. */
export function namedListenerTable(found: readonly Fields[], flags: Context['flags']): Shown {
  const rowsOf = (each: Fields) => listenerTable([each], flags).rows.map((row) => [`listener/${text(each['name'])}`, ...row])
  const { headings } = listenerTable([], flags)
  return { headings: ['NAME', ...headings], rows: sortedListeners(found).flatMap(rowsOf), padding: PADDING }
}

const chainTable = (found: readonly Fields[]): Shown => ({
  headings: CHAIN_HEADINGS,
  rows: sortedListeners(found).flatMap(chainRows),
  padding: PADDING,
})
