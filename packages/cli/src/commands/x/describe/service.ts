/** `x describe service`: a service as the proxy of its first pod sees it. */
import { type Pod, RESOURCE_TYPES, type Service } from '@lateen/api'
import { isNotFound } from '@lateen/kube'
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { parsePodReference } from '../../../cluster/pods.ts'
import { command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { DESCRIBE_FLAGS, type Described, describedServices, dumpOf, gatewayLines, namingIn } from './describe.ts'
import { proxyReady } from './pod-text.ts'

export const describeService = command<readonly string[]>({
  help: 'A service with its ports, the DestinationRules and VirtualServices for them, the authorization policies of its pods, and where it is reached through gateways.',
  args: [{ name: 'service', help: '<name>[.<namespace>]', optional: true }],
  flags: DESCRIBE_FLAGS,
  examples: ['lateen x describe service productpage', 'lateen x describe svc istio-ingressgateway.istio-system'],
  run: (context) => {
    const [reference] = context.args
    if (reference === undefined) throw new CommandError('expecting service name', { exitCode: EXIT.usage })
    return withCluster(context, async (cluster) => {
      const service = await findService(cluster, reference)
      const naming = namingIn(cluster.namespace)
      const pods = await podsOf(cluster, service)
      const sorted = sortOut(pods, naming.name)
      const [pod] = sorted.usable
      if (!pod) return [...sorted.remarks, ...withoutPods(naming.name(service), pods.length)]
      const described: Described = { pod, services: [service], labels: sorted.usable.map(({ metadata }) => metadata.labels ?? {}) }
      const dump = await dumpOf(cluster, `${pod.metadata.name}.${pod.metadata.namespace}`, context.flags.integer('proxy-admin-port'))
      return [
        ...sorted.remarks,
        ...(await describedServices(cluster, described, dump, naming)),
        ...(await gatewayLines(cluster, described, naming)),
      ]
    })
  },
  render: (lines) => lines.join('\n'),
})

async function findService({ client, namespace }: Cluster, reference: string): Promise<Service> {
  const { name, namespace: own } = parsePodReference(reference.includes('/') ? reference : `svc/${reference}`, namespace)
  try {
    return await client.get<Service>(RESOURCE_TYPES.Service, own, name)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(`there is no service "${name}" in namespace "${own}"; see: kubectl get services -n ${own}`)
  }
}

async function podsOf({ client }: Cluster, { metadata, spec }: Service): Promise<Pod[]> {
  const labelSelector = Object.entries(spec?.selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  if (labelSelector === '') return []
  const { items } = await client.list<Pod>(RESOURCE_TYPES.Pod, { namespace: metadata.namespace ?? '', labelSelector })
  return items
}

/** Pods whose proxy can be asked; why the others cannot. */
function sortOut(
  pods: readonly Pod[],
  name: (pod: Pod) => string,
): { readonly usable: readonly Pod[]; readonly remarks: readonly string[] } {
  const usable: Pod[] = []
  const remarks: string[] = []
  for (const pod of pods) {
    const phase = pod.status?.phase ?? 'Unknown'
    const ready = proxyReady(pod)
    if (phase !== 'Running') remarks.push(`   Pod ${name(pod)} is not Running (${phase})`)
    else if (ready === undefined) remarks.push(`Pod ${name(pod)}: no container "istio-proxy" in pod`)
    else if (!ready) remarks.push(`WARNING: Pod ${name(pod)} Container istio-proxy NOT READY`)
    else usable.push(pod)
  }
  return { usable, remarks }
}

const withoutPods = (name: string, count: number): string[] =>
  count === 0
    ? [`Service "${name}" has no pods.`]
    : [
        `Service "${name}" has no Istio pods.  (${count} pods in service).`,
        'Label the namespace istio-injection=enabled and restart the pods; "lateen x check-inject" says what keeps a pod from being injected.',
      ]
