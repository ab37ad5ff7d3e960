import { sortedYaml } from '../../render/sorted-yaml.ts'
import { command } from '../../shell/command.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { FOR, NAME, REVISION_FLAG, waypointOf } from './gateway.ts'

export const generate = command<string>({
  help: 'Writes a waypoint as YAML, for kubectl apply -f.',
  flags: [NAME, FOR, REVISION_FLAG, ...KUBE_FLAGS],
  examples: ['lateen waypoint generate --namespace shop', 'lateen waypoint generate --for all | kubectl apply -f -'],
  run: async (context) => sortedYaml(waypointOf(context, context.flags.text('namespace'))),
  render: (text) => text,
})
