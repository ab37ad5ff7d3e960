import { LISTENER_HEADINGS, listenerRows, listenersOf, SHORT_LISTENER_HEADINGS, shortListenerRow } from '../../config-dump/listeners.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { ADDRESS, listenerFilter, PORT, TYPE, VERBOSE } from './filters.ts'
import { renderTable, report } from './report.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const listener = command({
  help: 'The listeners that a proxy has: where they listen, what their filter chains match, and where that goes.',
  args: [POD_ARGUMENT],
  flags: [ADDRESS, PORT, TYPE, VERBOSE, OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config listeners POD.NAMESPACE --port 9080', 'lateen proxy-config listeners POD.NAMESPACE --type HTTP -o yaml'],
  async run(context) {
    const found = await listenersIn(context)
    const verbose = context.flags.on('verbose')
    return report(context, 'envoy.config.listener.v3.Listener', found, () => ({
      headings: verbose ? LISTENER_HEADINGS : SHORT_LISTENER_HEADINGS,
      rows: verbose ? found.flatMap(listenerRows) : found.map(shortListenerRow),
    }))
  },
  render: renderTable,
})

async function listenersIn(context: Context) {
  const dump = await readDump(context)
  try {
    return listenersOf(dump, listenerFilter(context.flags))
  } catch (error) {
    // istioctl says which part of the dump it looked for.
    throw error instanceof CommandError ? new CommandError(`listener dump: ${error.message}`, { cause: error }) : error
  }
}
