/** Dashboards of the mesh's own pods: Envoy's and ztunnel's administration interface, ControlZ of the control plane. */
import { RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../cluster/connect.ts'
import { findIstiods } from '../../cluster/istiod.ts'
import { findPod, type PodObject } from '../../cluster/pods.ts'
import { type Argument, type Command, type Context, command, type Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'
import { DASHBOARD_FLAGS, openDashboard } from './open.ts'

const POD: Argument = { name: 'pod', help: '[<type>/]<name>[.<namespace>]', optional: true }
const SELECTOR: Flag = { name: 'selector', short: 'l', value: 'LABELS', help: 'the first running pod with these labels, instead of a name' }

/** The pod of the argument or of `--selector`. */
async function chosenPod(cluster: Cluster, { args: [reference], flags, progress }: Context, namespace: string): Promise<PodObject> {
  const labelSelector = flags.text('selector')
  if (reference !== undefined && labelSelector) throw new CommandError('give a pod or --selector, not both', { exitCode: EXIT.usage })
  if (reference !== undefined) return findPod(cluster.client, reference, namespace)
  if (!labelSelector) throw new CommandError('no pod: give [<type>/]<name>[.<namespace>], or --selector', { exitCode: EXIT.usage })
  const { items } = await cluster.client.list<PodObject>(RESOURCE_TYPES.Pod, { namespace, labelSelector })
  const running = items.filter(({ status }) => status?.phase === 'Running')
  if (!running[0]) throw new CommandError(`no pod with labels ${labelSelector} runs in namespace ${namespace}`)
  if (running.length > 1) progress.note(`${running.length} pods have labels ${labelSelector}; this is ${running[0].metadata.name}`)
  return running[0]
}

function proxyCommand(word: 'envoy' | 'proxy', what: string): Command {
  return command<string>({
    endsItself: true,
    help: `Opens the administration interface of ${what}, until Ctrl-C.`,
    args: [POD],
    flags: [
      SELECTOR,
      { name: 'ui-port', value: 'PORT', type: 'integer', default: 15000, help: 'port of the administration interface' },
      ...DASHBOARD_FLAGS,
    ],
    examples: [
      `lateen dashboard ${word} productpage-v1-6b746f74dc-9stvs.default`,
      `lateen dashboard ${word} deployment/productpage-v1 --browser=false`,
    ],
    run: async (context) =>
      openDashboard(context, async (cluster) => {
        const pod = await chosenPod(cluster, context, cluster.namespace)
        return dashboardOf(pod, context.flags.integer('ui-port') ?? 15_000)
      }),
  })
}

const dashboardOf = ({ metadata }: PodObject, port: number) => ({
  namespace: metadata.namespace ?? 'default',
  pod: metadata.name,
  port,
  path: '/',
})

export const envoy = proxyCommand('envoy', 'the Envoy of a pod')
export const proxy = proxyCommand('proxy', 'a proxy: sidecar, gateway, waypoint or ztunnel')

export const controlz = command<string>({
  endsItself: true,
  help: 'Opens ControlZ of a control plane pod, where its log levels are seen and set, until Ctrl-C. Without a pod: a running one.',
  args: [POD],
  flags: [
    SELECTOR,
    { name: 'ctrlz_port', value: 'PORT', type: 'integer', default: 9876, help: 'port of ControlZ' },
    { name: 'revision', short: 'r', value: 'REVISION', help: 'of the control plane of this revision' },
    ...DASHBOARD_FLAGS,
  ],
  examples: [
    'lateen dashboard controlz',
    'lateen dashboard controlz deployment/istiod.istio-system',
    'lateen dashboard controlz -l app=istiod',
  ],
  run: async (context) =>
    openDashboard(context, async (cluster) => {
      const { flags, args } = context
      const port = flags.integer('ctrlz_port') ?? 9876
      if (args[0] === undefined && !flags.text('selector')) {
        const [istiod] = await findIstiods(cluster, flags.text('revision'))
        if (istiod) return dashboardOf(istiod, port)
      }
      return dashboardOf(await chosenPod(cluster, context, flags.text('namespace') || cluster.istioNamespace), port)
    }),
})
