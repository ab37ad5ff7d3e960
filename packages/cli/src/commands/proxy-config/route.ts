import { ROUTE_HEADINGS, routeRows, routesOf, SHORT_ROUTE_HEADINGS, shortRouteRow } from '../../config-dump/routes.ts'
import { command } from '../../shell/command.ts'
import { ROUTE_NAME, VERBOSE } from './filters.ts'
import { renderTable, report } from './report.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const route = command({
  help: 'The routes that a proxy has: virtual hosts, their domains, what is matched, and the VirtualService that it comes of.',
  args: [POD_ARGUMENT],
  flags: [ROUTE_NAME, VERBOSE, OUTPUT, ...SOURCE_FLAGS],
  examples: ['lateen proxy-config routes POD.NAMESPACE', 'lateen proxy-config routes POD.NAMESPACE --name 9080 -o json'],
  async run(context) {
    const found = routesOf(await readDump(context), { name: context.flags.text('name') })
    const verbose = context.flags.on('verbose')
    return report(context, 'envoy.config.route.v3.RouteConfiguration', found, () => ({
      headings: verbose ? ROUTE_HEADINGS : SHORT_ROUTE_HEADINGS,
      rows: verbose ? found.flatMap(routeRows) : found.map(shortRouteRow),
    }))
  },
  render: renderTable,
})
