/** A cluster, and further clusters of its mesh, as resources for analysis. */
import type { AnyResource, KindName } from '@lateen/analysis'
import { RESOURCE_TYPES } from '@lateen/api'
import { createKubeClient, isNotFound, type KubeClient, loadConnection } from '@lateen/kube'
import type { Cluster } from '../../cluster/connect.ts'
import { CommandError } from '../../shell/exit-codes.ts'
import { type LiveResources, readLiveResources } from './live-resources.ts'
import { type MeshSettings, meshSettingsOfCluster } from './mesh-settings.ts'

export interface ClusterOptions {
  readonly kinds: readonly KindName[]
  /** Must exist when it is given. */
  readonly namespace: string | undefined
  readonly revision: string
  /** Contexts of further clusters. */
  readonly remoteContexts: readonly string[]
  readonly kubeconfig: string | undefined
  readonly timeoutMs: number
}

export interface ClusterResources extends LiveResources {
  readonly settings: Partial<MeshSettings>
}

/** Kinds that say nothing about a mesh beyond their own cluster. */
const LOCAL_KINDS: ReadonlySet<KindName> = new Set<KindName>([
  'Deployment',
  'ConfigMap',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
])

/** @throws CommandError when the cluster does not answer in time, or the namespace is not there */
export async function readCluster(cluster: Cluster, options: ClusterOptions): Promise<ClusterResources> {
  const remotes = options.remoteContexts.map((context) => remoteClient(context, options.kubeconfig))
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const words = `the cluster did not answer within ${options.timeoutMs / 1000} s; --timeout allows more`
    timer = setTimeout(() => reject(new CommandError(words)), options.timeoutMs)
  })
  try {
    return await Promise.race([readAll(cluster, remotes, options), late])
  } finally {
    clearTimeout(timer)
    for (const { client } of remotes) client.close()
  }
}

interface Remote {
  readonly context: string
  readonly client: KubeClient
}

function remoteClient(context: string, kubeconfig: string | undefined): Remote {
  return { context, client: createKubeClient(loadConnection({ context, ...(kubeconfig ? { path: kubeconfig } : {}) })) }
}

async function readAll(
  { client, istioNamespace }: Cluster,
  remotes: readonly Remote[],
  options: ClusterOptions,
): Promise<ClusterResources> {
  if (options.namespace !== undefined) await needNamespace(client, options.namespace)
  const { kinds, revision } = options
  const own = remotes.length === 0 ? {} : { cluster: 'local' }
  const [settings, local, ...others] = await Promise.all([
    meshSettingsOfCluster(client, istioNamespace, revision).catch(() => ({})),
    readLiveResources(client, { kinds, istioNamespace, revision, ...own }),
    ...remotes.map((remote) =>
      readLiveResources(remote.client, {
        kinds: kinds.filter((kind) => !LOCAL_KINDS.has(kind)),
        istioNamespace,
        revision,
        cluster: remote.context,
      }),
    ),
  ])
  const all = [local, ...others]
  const resources: AnyResource[] = all.flatMap((one) => [...one.resources])
  return { settings, resources, unavailable: local.unavailable, problems: all.flatMap(({ problems }) => problems) }
}

async function needNamespace(client: KubeClient, namespace: string): Promise<void> {
  try {
    await client.get(RESOURCE_TYPES.Namespace, undefined, namespace)
  } catch (error) {
    if (isNotFound(error)) throw new CommandError(`namespace "${namespace}" not found`, { cause: error })
    // Who may not read namespaces may still read what is in this one.
  }
}
