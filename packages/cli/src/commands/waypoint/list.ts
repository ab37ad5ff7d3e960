import { withCluster } from '../../cluster/connect.ts'
import { table } from '../../render/table.ts'
import { command, OUTPUT_FLAG } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { ALL_NAMESPACES, listWaypoints, NAME, programmedOf, REVISION, TRAFFIC } from './gateway.ts'

interface WaypointLine {
  readonly namespace: string
  readonly name: string
  readonly revision: string
  readonly trafficType: string
  readonly programmed: string
}

interface Listing {
  readonly allNamespaces: boolean
  readonly waypoints: readonly WaypointLine[]
}

export const list = command<Listing>({
  help: 'The waypoints of a namespace, or of all.',
  flags: [ALL_NAMESPACES, { ...NAME, hidden: true }, { ...OUTPUT_FLAG, default: 'table' }, ...KUBE_FLAGS],
  examples: ['lateen waypoint list', 'lateen waypoint list -A'],
  run: (context) =>
    withCluster(context, async ({ client, namespace }) => {
      const allNamespaces = context.flags.on('all-namespaces')
      const gateways = await listWaypoints(client, allNamespaces ? undefined : namespace)
      const waypoints = gateways.map((gateway) => {
        const condition = programmedOf(gateway)
        return {
          namespace: gateway.metadata.namespace ?? '',
          name: gateway.metadata.name,
          revision: gateway.metadata.labels?.[REVISION] || 'default',
          trafficType: gateway.metadata.labels?.[TRAFFIC] || 'none',
          programmed: condition?.type === 'Programmed' ? condition.status : 'False',
        }
      })
      return { allNamespaces, waypoints }
    }),
  render: ({ allNamespaces, waypoints }) => {
    if (waypoints.length === 0) return 'No waypoints found.'
    const headings = ['NAME', 'REVISION', 'TRAFFIC TYPE', 'PROGRAMMED']
    const rows = waypoints.map(({ namespace, name, revision, trafficType, programmed }) => [
      ...(allNamespaces ? [namespace] : []),
      ...[name, revision, trafficType, programmed],
    ])
    return table(allNamespaces ? ['NAMESPACE', ...headings] : headings, rows)
  },
})
