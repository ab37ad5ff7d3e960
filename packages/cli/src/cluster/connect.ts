/** From a command's flags to the cluster that they mean. */
import { existsSync } from 'node:fs'
import { type Connection, createKubeClient, isInCluster, type KubeClient, KubeConfigError, loadConnection } from '@lateen/kube'
import { homeAt } from '../mesh/home.ts'
import type { Context } from '../shell/command.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

export interface Cluster {
  readonly client: KubeClient
  readonly connection: Connection
  /** `--namespace`, else the context's. */
  readonly namespace: string
  /** `--istioNamespace`. */
  readonly istioNamespace: string
  readonly timeoutMs: number
}

const DEFAULT_TIMEOUT_MS = 15_000

/**
 * The cluster of `--kubeconfig` and `--context`, else of `$KUBECONFIG`, else of the pod, else the mesh of this machine, else of
 * `~/.kube/config`. The caller closes `client`.
 *
 * @throws CommandError saying what is missing
 */
export function connect({ flags, env, home }: Pick<Context, 'flags' | 'env' | 'home'>): Cluster {
  const connection = connectionOf(flags, env, home)
  const timeoutMs = flags.duration('kubeclient-timeout') ?? DEFAULT_TIMEOUT_MS
  return {
    client: createKubeClient(connection, { timeoutMs, answerMs: timeoutMs }),
    connection,
    namespace: flags.text('namespace') || connection.namespace,
    istioNamespace: (flags.given('istioNamespace') && flags.text('istioNamespace')) || env['ISTIOCTL_ISTIONAMESPACE'] || 'istio-system',
    timeoutMs,
  }
}

function connectionOf(flags: Context['flags'], env: NodeJS.ProcessEnv, home: string): Connection {
  const given = flags.text('kubeconfig')
  const own = homeAt(home).kubeconfig
  const path = given || (!env['KUBECONFIG'] && !isInCluster(env) && existsSync(own) ? own : undefined)
  const context = flags.text('context')
  const user = flags.text('as')
  const uid = flags.text('as-uid')
  if (!user && (uid || flags.given('as-group'))) {
    throw new CommandError('--as-group and --as-uid need a user: --as USER', { exitCode: EXIT.usage })
  }
  try {
    return loadConnection({
      env,
      ...(path ? { path } : {}),
      ...(context ? { context } : {}),
      ...(user ? { impersonate: { user, groups: [...flags.list('as-group')], ...(uid ? { uid } : {}) } } : {}),
    })
  } catch (error) {
    if (!(error instanceof KubeConfigError)) throw error
    throw new CommandError(`${error.message}. Without a cluster: "lateen up" starts a mesh on this machine`, { cause: error })
  }
}

/** Runs `body` with the cluster of the flags, and closes the connection. */
export async function withCluster<T>(context: Pick<Context, 'flags' | 'env' | 'home'>, body: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = connect(context)
  try {
    return await body(cluster)
  } finally {
    cluster.client.close()
  }
}
