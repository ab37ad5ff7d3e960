/** Dashboards of programs that are installed beside the mesh: Prometheus, Grafana, Kiali, Jaeger, Zipkin, SkyWalking. */
import { RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../cluster/connect.ts'
import type { PodObject } from '../../cluster/pods.ts'
import { type Command, command } from '../../shell/command.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { DASHBOARD_FLAGS, openDashboard } from './open.ts'

interface Addon {
  readonly title: string
  readonly word: string
  readonly port: number
  readonly path: string
  /** Labels of its pods; those of Istio's sample first, then those of the usual Helm charts. */
  readonly selectors: readonly string[]
}

function addonCommand(addon: Addon): Command {
  return command<string>({
    endsItself: true,
    help: `Opens ${addon.title}: a port of this machine that leads to its pod, until Ctrl-C. It is looked for in the namespace of the control plane, or in that of --namespace.`,
    flags: [
      { name: 'ui-port', value: 'PORT', type: 'integer', default: addon.port, help: `the port on which ${addon.title} listens` },
      ...DASHBOARD_FLAGS,
    ],
    examples: [`lateen dashboard ${addon.word}`, `lateen dashboard ${addon.word} --browser=false -n observability`],
    run: async (context) =>
      openDashboard(context, async (cluster) => {
        const namespace = context.flags.text('namespace') || cluster.istioNamespace
        const pod = await findAddon(cluster, addon, namespace)
        return { namespace, pod: pod.metadata.name, port: context.flags.integer('ui-port') ?? addon.port, path: addon.path }
      }),
  })
}

/** @throws CommandError saying where it runs instead, or what to do */
async function findAddon({ client }: Cluster, addon: Addon, namespace: string): Promise<PodObject> {
  const found = await runningPods(client, addon, namespace)
  if (found[0]) return found[0]
  const elsewhere = [...new Set((await runningPods(client, addon)).map(({ metadata }) => metadata.namespace))]
  throw new CommandError(
    `no ${addon.title} pods found in namespace ${namespace} (${addon.selectors.join(' or ')}); ${
      elsewhere.length > 0
        ? `it runs in ${elsewhere.join(', ')}: lateen dashboard ${addon.word} -n ${elsewhere[0]}`
        : 'install it there, or name its namespace with -n'
    }`,
  )
}

async function runningPods(client: Cluster['client'], { selectors }: Addon, namespace?: string): Promise<PodObject[]> {
  for (const labelSelector of selectors) {
    const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, { labelSelector, ...(namespace ? { namespace } : {}) })
    const running = items.filter(({ status }) => status?.phase === 'Running')
    if (running.length > 0) return running
  }
  return []
}

const byApp = (app: string): readonly string[] => [`app=${app}`, `app.kubernetes.io/name=${app}`]

export const prometheus = addonCommand({
  title: 'Prometheus',
  word: 'prometheus',
  port: 9090,
  path: '/',
  selectors: byApp('prometheus'),
})

export const grafana = addonCommand({
  title: 'Grafana',
  word: 'grafana',
  port: 3000,
  path: '/',
  selectors: ['app.kubernetes.io/name=grafana', 'app=grafana'],
})

export const kiali = addonCommand({ title: 'Kiali', word: 'kiali', port: 20001, path: '/kiali', selectors: byApp('kiali') })

export const jaeger = addonCommand({ title: 'Jaeger', word: 'jaeger', port: 16686, path: '/', selectors: byApp('jaeger') })

export const zipkin = addonCommand({ title: 'Zipkin', word: 'zipkin', port: 9411, path: '/', selectors: byApp('zipkin') })

export const skywalking = addonCommand({
  title: 'SkyWalking',
  word: 'skywalking',
  port: 8080,
  path: '/',
  selectors: ['app=skywalking-ui', 'component=ui,app=skywalking'],
})
