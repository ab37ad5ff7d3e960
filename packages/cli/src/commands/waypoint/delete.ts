import { RESOURCE_TYPES } from '@lateen/api'
import { withCluster } from '../../cluster/connect.ts'
import { command, Outcome } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { listWaypoints, NAME, REVISION } from './gateway.ts'

export const deleteWaypoint = command<readonly string[]>({
  help: 'Deletes waypoints of a namespace: by name, those of a revision, or all.',
  args: [{ name: 'waypoint', help: 'names of waypoints', optional: true, variadic: true }],
  flags: [
    { name: 'all', help: 'all waypoints of the namespace' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'all waypoints of this revision' },
    { ...NAME, hidden: true },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen waypoint delete waypoint --namespace shop', 'lateen waypoint delete --all -n shop'],
  async run(context) {
    const { args, flags } = context
    const revision = flags.text('revision')
    const wanted = args.filter((name) => name !== '')
    if ((flags.on('all') || revision) && wanted.length > 0)
      throw new CommandError('give names, or --all, or --revision', { exitCode: EXIT.usage })
    if (!flags.on('all') && !revision && wanted.length === 0) {
      throw new CommandError('which waypoints? Give their names, --all or --revision', { exitCode: EXIT.usage })
    }
    return withCluster(context, async ({ client, namespace }) => {
      const found = (await listWaypoints(client, namespace, revision ? `${REVISION}=${revision}` : undefined)).map(
        ({ metadata }) => metadata.name,
      )
      const names = wanted.length > 0 ? wanted.filter((name) => found.includes(name)) : found
      const missing = wanted.filter((name) => !found.includes(name))
      await Promise.all(names.map((name) => client.delete(RESOURCE_TYPES.KubernetesGateway, namespace, name)))
      const lines = [
        ...names.map((name) => `waypoint ${namespace}/${name} deleted`),
        ...missing.map((name) => `waypoint ${namespace}/${name} not found`),
      ]
      return new Outcome(lines.length > 0 ? lines : ['No waypoints found.'], EXIT.ok)
    })
  },
  render: (lines) => lines.join('\n'),
})
