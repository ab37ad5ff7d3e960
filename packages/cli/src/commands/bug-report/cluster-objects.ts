/** `cluster/`: the objects of the cluster, under istioctl's names. */
import { type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { isNotFound, type ListPage } from '@lateen/kube'
import type { Cluster } from '../../cluster/connect.ts'
import { fields } from '../../config-dump/fields.ts'
import { PRODUCT_VERSION } from '../../product.ts'
import { sortedYaml } from '../../render/sorted-yaml.ts'
import type { Item } from './item.ts'
import { withoutData, withoutKeys, withoutSecretVariables } from './redact.ts'

const kinds = (group: string, version: string, names: Readonly<Record<string, string>>): ResourceType[] =>
  Object.entries(names).map(([kind, plural]) => ({ group, version, kind, plural, namespaced: true }))

/** Kinds of Kubernetes that say how a mesh's workloads run. */
const WORKLOADS: readonly ResourceType[] = [
  ...kinds('apps', 'v1', { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets', ReplicaSet: 'replicasets' }),
  ...kinds('batch', 'v1', { Job: 'jobs', CronJob: 'cronjobs' }),
  ...kinds('autoscaling', 'v2', { HorizontalPodAutoscaler: 'horizontalpodautoscalers' }),
  ...kinds('policy', 'v1', { PodDisruptionBudget: 'poddisruptionbudgets' }),
  ...kinds('networking.k8s.io', 'v1', { NetworkPolicy: 'networkpolicies' }),
]

const { Secret, Event, Node, Pod } = RESOURCE_TYPES
const APART: readonly ResourceType[] = [Secret, Event, Node]
const isCustom = ({ group }: ResourceType): boolean => group.endsWith('istio.io') || group === 'gateway.networking.k8s.io'
const TYPES = Object.values(RESOURCE_TYPES).filter((type) => !APART.includes(type))

/** @param fullSecrets with what Secrets hold */
export function clusterItems(cluster: Cluster, { fullSecrets }: { readonly fullSecrets: boolean }): Item[] {
  const { client, connection, istioNamespace } = cluster
  const objects = (path: string, types: readonly ResourceType[], namespace?: string): Item => ({
    path: `cluster/${path}`,
    read: async (note) => withoutKeys((await Promise.all(types.map((type) => texts(type, note, namespace)))).flat().join('---\n')),
  })
  const texts = async (type: ResourceType, note: (fault: string) => void, namespace?: string): Promise<string[]> => {
    const found = await listed(cluster, type, namespace).catch((error: unknown) => {
      note(`${type.plural}${type.group && `.${type.group}`}: ${error instanceof Error ? error.message : String(error)}`)
      return []
    })
    return found.map((object) => sortedYaml(shown(object)))
  }
  return [
    objects('k8s-resources', [...TYPES.filter((type) => !isCustom(type)), ...WORKLOADS]),
    objects('crs', TYPES.filter(isCustom)),
    objects('events', [Event]),
    objects('nodes', [Node]),
    objects('describe-pods', [Pod], istioNamespace),
    {
      path: 'cluster/secrets',
      read: async () => {
        const secrets = await listed(cluster, Secret)
        return secrets.map((secret) => sortedYaml(shown(fullSecrets ? secret : withoutData(secret)))).join('---\n')
      },
    },
    { path: 'cluster/cluster-context', read: async () => `${connection.origin}\n${connection.server.href}\n` },
    {
      path: 'cluster/kubectl-version',
      read: async () => sortedYaml({ lateen: PRODUCT_VERSION, kubernetes: await client.request('GET', '/version'), node: process.version }),
    },
  ]
}

/** A kind that the cluster does not know has no objects. */
async function listed({ client }: Cluster, type: ResourceType, namespace?: string): Promise<KubeObject[]> {
  const objects: KubeObject[] = []
  let from: string | undefined
  for (;;) {
    try {
      const page: ListPage<KubeObject> = await client.list(type, {
        limit: 500,
        ...(namespace && { namespace }),
        ...(from && { continue: from }),
      })
      objects.push(...page.items)
      if (!page.continue) return objects
      from = page.continue
    } catch (error) {
      if (isNotFound(error)) return objects
      throw error
    }
  }
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** Without what says again what is there, and without values of variables with names of secrets. */
function shown(object: Readonly<Record<string, unknown>>): unknown {
  const { managedFields: _, annotations, ...metadata } = fields(object['metadata'])
  const { [LAST_APPLIED]: __, ...rest } = fields(annotations)
  return fields(withoutSecretVariables({ ...object, metadata: { ...metadata, ...(annotations !== undefined && { annotations: rest }) } }))
}
