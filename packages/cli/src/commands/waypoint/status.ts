import type { KubeObject } from '@lateen/api'
import { withCluster } from '../../cluster/connect.ts'
import { table } from '../../render/table.ts'
import { command } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { ALL_NAMESPACES, listWaypoints, NAME, programmedOf, WAIT_FOR } from './gateway.ts'
import { waitUntilProgrammed } from './wait.ts'

export const status = command<readonly (readonly string[])[]>({
  endsItself: true,
  help: 'Whether the waypoints of a namespace, or of all, run; with --wait=false as they are now, else when they are ready.',
  flags: [
    ALL_NAMESPACES,
    { name: 'wait', short: 'w', default: true, help: 'waits until each waypoint is ready' },
    WAIT_FOR,
    { ...NAME, hidden: true },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen waypoint status --namespace shop', 'lateen waypoint status -A --wait=false'],
  run: (context) =>
    withCluster(context, async ({ client, namespace }) => {
      const { flags, signal } = context
      const timeoutMs = flags.duration('waypoint-timeout') ?? 90_000
      const gateways = await listWaypoints(client, flags.on('all-namespaces') ? undefined : namespace)
      const ready = (gateway: KubeObject) =>
        flags.on('wait')
          ? waitUntilProgrammed(client, gateway.metadata.namespace ?? namespace, gateway.metadata.name, timeoutMs, signal)
          : Promise.resolve(gateway)
      return (await Promise.all(gateways.map(ready))).map((gateway) => {
        const condition = programmedOf(gateway)
        return [
          gateway.metadata.namespace ?? '',
          gateway.metadata.name,
          ...[condition?.status ?? 'Unknown', condition?.type ?? '', condition?.reason ?? '', condition?.message ?? ''],
        ]
      })
    }),
  render: (rows) => (rows.length === 0 ? 'No waypoints found.' : table(['NAMESPACE', 'NAME', 'STATUS', 'TYPE', 'REASON', 'MESSAGE'], rows)),
})
