/** `proxy-config all`: every kind of resource, one table after another; as JSON the dump as Envoy gave it. */
import { bootstrapSummary } from '../../config-dump/bootstrap.ts'
import type { ConfigDump } from '../../config-dump/dump.ts'
import { assignmentsOf } from '../../config-dump/endpoints.ts'
import { definitions, type Shown } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { clustersIn, namedClusterTable } from './cluster.ts'
import { assignmentTable } from './eds.ts'
import { ADDRESS, clusterFilter, DIRECTION, FQDN, listenerFilter, PORT, ROUTE_NAME, SUBSET, TYPE, VERBOSE } from './filters.ts'
import { listenersIn, namedListenerTable } from './listener.ts'
import { document, tableOf } from './report.ts'
import { routesIn, routeTable } from './route.ts'
import { secretText } from './secret.ts'
import { foundIn, OUTPUT, PARTS, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const all = command<unknown>({
  help: 'Everything that a proxy has: versions, clusters, listeners, routes, certificates, endpoints.',
  args: [POD_ARGUMENT],
  flags: [
    ...[ADDRESS, DIRECTION, FQDN, ROUTE_NAME, PORT, SUBSET, TYPE, VERBOSE],
    { name: 'with-headers', help: 'names above the tables' },
    OUTPUT,
    ...SOURCE_FLAGS,
  ],
  examples: ['lateen proxy-config all POD.NAMESPACE', 'lateen proxy-config all POD.NAMESPACE -o json > config_dump.json'],
  async run(context) {
    const dump = await readDump(context, PARTS.withEndpoints)
    return foundIn(context, dump, textOf(context, dump))
  },
})

function textOf({ flags }: Context, dump: ConfigDump): AsyncIterable<string> {
  const format = flags.text('output')
  if (format === 'json') return asItCame(dump)
  return format === 'yaml' ? whole(flags, dump) : tables(dump, flags)
}

async function* asItCame(dump: ConfigDump): AsyncIterable<string> {
  yield* dump.source()
  yield '\n'
}

async function* whole(flags: Context['flags'], dump: ConfigDump): AsyncIterable<string> {
  yield document(flags, dump.document())
}

/** A part that is missing costs the others nothing, unless the dump is none of a whole proxy. */
async function* tables(dump: ConfigDump, flags: Context['flags']): AsyncIterable<string> {
  const faults: string[] = []
  for (const [title, read] of partsOf(dump, flags)) {
    const first = title === 'Bootstrap'
    try {
      const body = read()
      const heading = flags.on('with-headers') ? `==== ${title} ====\n` : ''
      yield `${first ? '' : '\n'}${heading}${body}\n`
    } catch (error) {
      if (!(error instanceof CommandError) || first) throw error
      faults.push(error.message)
    }
  }
  if (faults.length > 0) throw new CommandError(faults.join('\nError: '))
}

function partsOf(dump: ConfigDump, flags: Context['flags']): (readonly [string, () => string])[] {
  const endpoints = { address: flags.text('address'), port: flags.integer('port') }
  return [
    ['Bootstrap', () => definitions(bootstrapSummary(dump))],
    ['Clusters', () => tableOf(namedClusterTable(clustersIn(dump, clusterFilter(flags))))],
    ['Listeners', () => tableOf(namedListenerTable(listenersIn(dump, listenerFilter(flags)), flags))],
    ['Routes', () => tableOf(routeTable(routesIn(dump, flags), flags, 'route/'))],
    ['Secrets', () => secretText(dump, 'secret/')],
    ['Endpoints', () => tableOf(named(assignmentTable(assignmentsOf(dump, endpoints))))],
  ]
}

const named = (shown: Shown): Shown => ({
  ...shown,
  rows: shown.rows.map(([endpoint = '', ...rest]) => [`endpoint/${endpoint}`, ...rest]),
})
