/** `proxy-config all`: every kind of resource, one table after another; as JSON the dump as Envoy gave it. */
import { stringify } from 'yaml'
import { bootstrapSummary } from '../../config-dump/bootstrap.ts'
import { CLUSTER_HEADINGS, clusterRow, clustersOf } from '../../config-dump/clusters.ts'
import type { ConfigDump } from '../../config-dump/dump.ts'
import { ASSIGNMENT_HEADINGS, assignmentRows, assignmentsOf } from '../../config-dump/endpoints.ts'
import { type Fields, text } from '../../config-dump/fields.ts'
import { LISTENER_HEADINGS, listenerRows, listenersOf } from '../../config-dump/listeners.ts'
import { ROUTE_HEADINGS, routeRows, routesOf } from '../../config-dump/routes.ts'
import { secretsOf, secretTable } from '../../config-dump/secrets.ts'
import { definitions, table } from '../../render/table.ts'
import { type Context, command } from '../../shell/command.ts'
import { ADDRESS, clusterFilter, DIRECTION, FQDN, listenerFilter, PORT, ROUTE_NAME, SUBSET, TYPE, VERBOSE } from './filters.ts'
import { OUTPUT, POD_ARGUMENT, readDump, SOURCE_FLAGS } from './source.ts'

export const all = command({
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
    const dump = await readDump(context, '?include_eds')
    const format = context.flags.text('output')
    if (format === 'json') return lines([dump.json])
    if (format === 'yaml') return lines([stringify(JSON.parse(dump.json), { aliasDuplicateObjects: false })])
    return lines(tables(dump, context.flags).flatMap((part, index) => (index === 0 ? [part] : ['', part])))
  },
})

async function* lines(parts: readonly string[]): AsyncGenerator<string> {
  for (const part of parts) yield part.endsWith('\n') ? part : `${part}\n`
}

function tables(dump: ConfigDump, flags: Context['flags']): string[] {
  const titled = (title: string, body: string) => (flags.on('with-headers') ? `==== ${title} ====\n${body}` : body)
  const secrets = secretTable(secretsOf(dump, new Date()), 'secret/')
  return [
    titled('Bootstrap', definitions(bootstrapSummary(dump))),
    titled('Clusters', clusterTable(dump, flags)),
    titled('Listeners', listenerTable(dump, flags)),
    titled('Routes', routeTable(dump, flags)),
    titled('Secrets', table(secrets.headings, secrets.rows)),
    titled('Endpoints', endpointTable(dump, flags)),
  ]
}

function clusterTable(dump: ConfigDump, flags: Context['flags']): string {
  const found = clustersOf(dump, clusterFilter(flags))
  return table(
    ['NAME', ...CLUSTER_HEADINGS],
    found.map((cluster) => [named('cluster', cluster), ...unnamed(clusterRow(cluster))]),
  )
}

/** A cluster that is no service has its kind before its name here. */
const unnamed = ([host = '', port = '', ...rest]: readonly string[]): string[] => [port === '-' ? `cluster/${host}` : host, port, ...rest]

function listenerTable(dump: ConfigDump, flags: Context['flags']): string {
  const found = listenersOf(dump, listenerFilter(flags))
  return table(
    ['NAME', ...LISTENER_HEADINGS],
    found.flatMap((listener) => listenerRows(listener).map((row) => [named('listener', listener), ...row])),
  )
}

function routeTable(dump: ConfigDump, flags: Context['flags']): string {
  const found = routesOf(dump, { name: flags.text('name') })
  return table(
    ROUTE_HEADINGS,
    found.flatMap(routeRows).map(([name = '', ...rest]) => [`route/${name}`, ...rest]),
  )
}

function endpointTable(dump: ConfigDump, flags: Context['flags']): string {
  const found = assignmentsOf(dump, { address: flags.text('address'), port: flags.integer('port') })
  return table(
    ASSIGNMENT_HEADINGS,
    found.flatMap(assignmentRows).map(([name = '', ...rest]) => [`endpoint/${name}`, ...rest]),
  )
}

const named = (kind: string, resource: Fields): string => `${kind}/${text(resource['name'])}`
