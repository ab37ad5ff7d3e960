/** `x describe pod`: a pod, the services in front of it, and the configuration that concerns it. */
import { hasLabels, type Pod, RESOURCE_TYPES, type Service } from '@lateen/api'
import { withCluster } from '../../../cluster/connect.ts'
import { findPod } from '../../../cluster/pods.ts'
import { command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { podRevision } from '../injection/injector-list.ts'
import { DESCRIBE_FLAGS, type Described, describedServices, dumpOf, gatewayLines, namingIn, RULE, rootNamespace } from './describe.ts'
import { acceptedTls, mutualTlsLines } from './mutual-tls.ts'
import { hasProxy, podLines } from './pod-text.ts'

export const describePod = command<readonly string[]>({
  help: 'A pod, its services with the DestinationRules and VirtualServices that its own proxy has for them, the PeerAuthentication that holds, and where it is reached through gateways.',
  args: [{ name: 'pod', help: '[<type>/]<name>[.<namespace>]', optional: true }],
  flags: DESCRIBE_FLAGS,
  examples: ['lateen x describe pod reviews-v1-5b7d-xk2p', 'lateen x describe pod deployment/reviews-v1 -n shop'],
  run: (context) => {
    const [reference] = context.args
    if (reference === undefined) throw new CommandError('expecting pod name', { exitCode: EXIT.usage })
    return withCluster(context, async (cluster) => {
      const quiet = context.flags.on('ignoreUnmeshed')
      const found = await findPod(cluster.client, reference, cluster.namespace)
      const { name, namespace = 'default' } = found.metadata
      const pod = await cluster.client.get<Pod>(RESOURCE_TYPES.Pod, namespace, name)
      const naming = namingIn(cluster.namespace)
      const services = await servicesOf(cluster.client, pod)
      const described: Described = { pod, services, labels: [pod.metadata.labels ?? {}] }
      const lines = podLines(pod, naming.name, { quiet })
      if (services.length === 0 && !quiet) lines.push(`Warning: No Kubernetes Services select pod ${naming.name(pod)}`)
      if (!hasProxy(pod)) return lines
      // What one part cannot find out must not cost the others.
      const parts = await Promise.all([
        orWarning(async () =>
          describedServices(
            cluster,
            described,
            await dumpOf(cluster, `${name}.${namespace}`, context.flags.integer('proxy-admin-port')),
            naming,
          ),
        ),
        orWarning(() => mutualTls(cluster, pod)),
        orWarning(() => gatewayLines(cluster, described, naming)),
      ])
      const [rules = [], tls = [], gateways = []] = parts
      return [...lines, RULE, ...rules, RULE, ...tls, ...gateways]
    })
  },
  render: (lines) => lines.join('\n'),
})

type Client = Parameters<typeof findPod>[0]

async function servicesOf(client: Client, { metadata }: Pod): Promise<Service[]> {
  const { items } = await client.list<Service>(RESOURCE_TYPES.Service, { namespace: metadata.namespace ?? '' })
  return items.filter(({ spec }) => Object.keys(spec?.selector ?? {}).length > 0 && hasLabels(metadata.labels ?? {}, spec?.selector ?? {}))
}

async function mutualTls(cluster: Parameters<typeof rootNamespace>[0], pod: Pod): Promise<string[]> {
  const root = await rootNamespace(cluster, podRevision(pod))
  const namespace = pod.metadata.namespace ?? ''
  const lists = await Promise.all(
    [...new Set([root, namespace])].map((each) => cluster.client.list(RESOURCE_TYPES.PeerAuthentication, { namespace: each })),
  )
  const objects = lists.flatMap(({ items }) => items)
  return mutualTlsLines(acceptedTls(objects, { namespace, labels: pod.metadata.labels ?? {} }, root))
}

async function orWarning(part: () => Promise<string[]>): Promise<string[]> {
  try {
    return await part()
  } catch (error) {
    return [`WARNING: ${error instanceof Error ? error.message : String(error)}`]
  }
}
