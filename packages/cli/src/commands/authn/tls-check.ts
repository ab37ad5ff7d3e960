/** `authn tls-check`: whether what a pod's proxy does towards each service and what the service accepts fit together. */
import { type Pod, RESOURCE_TYPES, type Service } from '@lateen/api'
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { parseClusterName } from '../../config-dump/cluster-name.ts'
import { clustersOf } from '../../config-dump/clusters.ts'
import type { ConfigDump } from '../../config-dump/dump.ts'
import { at, text } from '../../config-dump/fields.ts'
import { originOf } from '../../config-dump/origin.ts'
import { table } from '../../render/table.ts'
import { command, OUTPUT_FLAG } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { POD_ARGUMENT } from '../proxy-config/source.ts'
import { dumpOf, rootNamespace } from '../x/describe/describe.ts'
import { type ClientTls, clientTls } from './client-tls.ts'
import { type Servers, type ServerTls, serverTls } from './server-tls.ts'

interface TlsRow {
  /** `host:port`. */
  readonly destination: string
  readonly status: 'OK' | 'CONFLICT'
  readonly server: string
  readonly client: string
  readonly policy: string
  readonly rule: string
}

export const tlsCheck = command<readonly TlsRow[]>({
  help: "For each service that a pod's proxy knows: what the servers accept (PeerAuthentication), what the proxy does (DestinationRule or automatic mutual TLS), and whether the two fit.",
  args: [POD_ARGUMENT, { name: 'service', help: 'only this service: <name>.<namespace>[.svc.cluster.local]', optional: true }],
  flags: [OUTPUT_FLAG, ...KUBE_FLAGS],
  examples: ['lateen authn tls-check productpage-v1-5b7d-xk2p.shop', 'lateen authn tls-check deployment/productpage-v1 reviews.shop'],
  run: (context) => {
    const [reference, only] = context.args
    if (reference === undefined) throw new CommandError('no pod: give [<type>/]<name>[.<namespace>]', { exitCode: EXIT.usage })
    return withCluster(context, async (cluster) => {
      const [dump, servers] = await Promise.all([dumpOf(cluster, reference), readServers(cluster)])
      const rows = tlsRows(dump, servers).filter(({ destination }) => only === undefined || isOf(destination, only))
      if (rows.length === 0)
        throw new CommandError(
          `the proxy of ${reference} knows no service${only === undefined ? '' : ` "${only}"`}; see: lateen proxy-config clusters ${reference}`,
        )
      return rows
    })
  },
  render: (rows) =>
    table(
      ['HOST:PORT', 'STATUS', 'SERVER', 'CLIENT', 'AUTHN POLICY', 'DESTINATION RULE'],
      rows.map(({ destination, status, server, client, policy, rule }) => [destination, status, server, client, policy, rule]),
    ),
})

const isOf = (destination: string, service: string): boolean =>
  destination.startsWith(`${service}.`) || destination.startsWith(`${service}:`)

async function readServers(cluster: Cluster): Promise<Servers> {
  const { client } = cluster
  const [services, pods, policies, root] = await Promise.all([
    client.list<Service>(RESOURCE_TYPES.Service),
    client.list<Pod>(RESOURCE_TYPES.Pod),
    client.list(RESOURCE_TYPES.PeerAuthentication),
    rootNamespace(cluster, ''),
  ])
  return { services: services.items, pods: pods.items, policies: policies.items, rootNamespace: root }
}

/** One row for each port of a service; subsets share their service's. Exported for tests. */
export function tlsRows(dump: ConfigDump, servers: Servers): TlsRow[] {
  return clustersOf(dump, { direction: 'outbound|' }).flatMap((cluster) => {
    const { host, port, subset } = parseClusterName(text(cluster['name']))
    if (subset !== '' || port === 0) return []
    const client = clientTls(cluster)
    const { modes, policy } = serverTls(servers, host, port)
    return [
      {
        destination: `${host}:${port}`,
        status: modes.every((mode) => fits(client, mode)) ? ('OK' as const) : ('CONFLICT' as const),
        server: modes.join('/'),
        client: client === 'automatic' ? `${automatic(modes)} (automatic)` : client,
        policy,
        rule: originOf(at(cluster, 'metadata')) || '-',
      },
    ]
  })
}

/** What automatic mutual TLS comes to. */
function automatic(modes: readonly ServerTls[]): string {
  const plain = (mode: ServerTls) => mode === 'HTTP' || mode === 'DISABLE' || mode === 'unknown'
  if (modes.every(plain)) return 'DISABLE'
  return modes.some(plain) ? 'ISTIO_MUTUAL/DISABLE' : 'ISTIO_MUTUAL'
}

function fits(client: ClientTls, server: ServerTls): boolean {
  if (client === 'automatic' || server === 'unknown') return true
  if (server === 'STRICT') return client === 'ISTIO_MUTUAL'
  if (server === 'PERMISSIVE') return client !== 'SIMPLE' && client !== 'MUTUAL'
  // The application itself may serve TLS; it never has the mesh's own.
  return client !== 'ISTIO_MUTUAL'
}
