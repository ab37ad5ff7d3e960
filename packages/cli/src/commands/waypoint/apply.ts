import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { type Cluster, withCluster } from '../../cluster/connect.ts'
import { type Context, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../shell/kube-flags.ts'
import { FOR, NAME, REVISION_FLAG, WAIT_FOR, WAYPOINT_CLASS, waypointOf, withGatewayApi } from './gateway.ts'
import { waitUntilProgrammed } from './wait.ts'

const USE_WAYPOINT = 'istio.io/use-waypoint'
const MODE = 'istio.io/dataplane-mode'

export const apply = command<string>({
  endsItself: true,
  help: 'Applies a waypoint to a namespace; with --enroll-namespace, traffic to the namespace goes through it.',
  flags: [
    NAME,
    FOR,
    { name: 'enroll-namespace', help: 'labels the namespace, so that it uses the waypoint' },
    { name: 'overwrite', help: 'with --enroll-namespace: also a namespace that uses another waypoint' },
    { name: 'wait', short: 'w', help: 'waits until the waypoint is ready' },
    WAIT_FOR,
    REVISION_FLAG,
    ...KUBE_FLAGS,
  ],
  examples: ['lateen waypoint apply --namespace shop --wait', 'lateen waypoint apply -n shop --enroll-namespace'],
  run: async (context) => applied(context),
})

async function* applied(context: Context): AsyncGenerator<string> {
  const lines = await withCluster(context, (cluster) => applyAll(cluster, context))
  for (const line of lines) yield `${line}\n`
}

async function applyAll(cluster: Cluster, context: Context): Promise<string[]> {
  const { client, namespace } = cluster
  const { flags, progress } = context
  const gateway = waypointOf(context, namespace)
  const enrols = flags.on('enroll-namespace')
  if (enrols && !(await mayEnrol(cluster, context))) return []
  await withGatewayApi(client.apply(RESOURCE_TYPES.KubernetesGateway, gateway, { fieldManager: 'istioctl' }))
  const name = `${namespace}/${gateway.metadata.name}`
  const lines = [`waypoint ${name} applied`]
  const isServed = await client.get(RESOURCE_TYPES.GatewayClass, undefined, WAYPOINT_CLASS).then(
    () => true,
    (error: unknown) => !isNotFound(error),
  )
  if (!isServed)
    progress.note(`warning: there is no GatewayClass ${WAYPOINT_CLASS}: no control plane of this cluster will run the waypoint`)
  if (flags.on('wait')) {
    const timeoutMs = flags.duration('waypoint-timeout') ?? 90_000
    await waitUntilProgrammed(client, namespace, gateway.metadata.name, timeoutMs, context.signal)
    lines.push(`waypoint ${name} is ready!`)
  }
  if (enrols) {
    await client.patch(RESOURCE_TYPES.Namespace, undefined, namespace, { metadata: { labels: { [USE_WAYPOINT]: gateway.metadata.name } } })
    lines.push(`namespace ${namespace} labeled with "${USE_WAYPOINT}: ${gateway.metadata.name}"`)
  }
  return lines
}

/** Says what the user should know first; `false` when nothing is to be done. */
async function mayEnrol({ client, namespace }: Cluster, { flags, progress }: Context): Promise<boolean> {
  const labels = await client.get<KubeObject>(RESOURCE_TYPES.Namespace, undefined, namespace).then(
    ({ metadata }) => metadata.labels ?? {},
    (error: unknown) => {
      throw isNotFound(error) ? new CommandError(`there is no namespace "${namespace}"`) : error
    },
  )
  if (labels[USE_WAYPOINT] && !flags.on('overwrite')) {
    progress.note(
      `warning: namespace ${namespace} uses waypoint ${labels[USE_WAYPOINT]} already, nothing was done; with --overwrite it is changed`,
    )
    return false
  }
  if (labels[MODE] !== 'ambient') {
    progress.note(
      `warning: namespace ${namespace} is not in ambient mode; to change that: kubectl label namespace ${namespace} ${MODE}=ambient`,
    )
  }
  return true
}
