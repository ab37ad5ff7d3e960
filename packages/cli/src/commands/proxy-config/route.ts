import type { ConfigDump } from '../../config-dump/dump.ts'
import type { Fields } from '../../config-dump/fields.ts'
import { ROUTE_HEADINGS, type RouteFilter, routeRows, routesOf, SHORT_ROUTE_HEADINGS, shortRouteRow } from '../../config-dump/routes.ts'
import type { Shown } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { ROUTE_NAME, VERBOSE } from './filters.ts'
import { renderTable, report } from './report.ts'
import { filtered, foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const route = command({
  help: 'The routes that a proxy has: virtual hosts, their domains, what is matched, and the VirtualService that it comes of.',
  args: [POD_ARGUMENT],
  flags: [ROUTE_NAME, VERBOSE, OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config routes POD.NAMESPACE', 'lateen proxy-config routes POD.NAMESPACE --name 9080 -o json'],
  async run(context) {
    const dump = await readDump(context, PARTS.routes)
    const found = routesIn(dump, context.flags)
    return foundIn(
      context,
      dump,
      report(context, 'envoy.config.route.v3.RouteConfiguration', found, () => routeTable(found, context.flags)),
    )
  },
  render: renderTable,
})

/** Those of `--name`. @throws CommandError when the dump has no routes */
export const routesIn = (dump: ConfigDump, flags: Context['flags']): readonly Fields[] =>
  filtered((wanted?: RouteFilter) => routesOf(dump, wanted), { name: flags.text('name') }, 'routes')

/** @param prefix before the names of the routes */
export function routeTable(found: readonly Fields[], flags: Context['flags'], prefix = ''): Shown {
  const verbose = flags.on('verbose')
  const rows = verbose ? found.flatMap(routeRows) : found.map(shortRouteRow)
  return {
    headings: verbose ? ROUTE_HEADINGS : SHORT_ROUTE_HEADINGS,
    rows: rows.map(([name = '', ...rest]) => [`${prefix}${name}`, ...rest]),
    padding: 5,
  }
}
