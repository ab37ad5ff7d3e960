/** What the analysis finds in all namespaces of a cluster, for commands that ask for more than that. */
import { ANALYZERS, analyze, type Finding, inputKinds, World } from '@lateen/analysis'
import type { Cluster } from '../../cluster/connect.ts'
import { readCluster } from './cluster-resources.ts'

/** @throws CommandError when the cluster does not answer in time */
export async function findingsOfCluster(cluster: Cluster, now: Date): Promise<readonly Finding[]> {
  const live = await readCluster(cluster, {
    kinds: inputKinds(ANALYZERS),
    namespace: undefined,
    revision: 'default',
    remoteContexts: [],
    kubeconfig: undefined,
    // Many kinds are read, one after the other where the server is slow.
    timeoutMs: cluster.timeoutMs * 2,
  })
  const world = new World(live.resources, { ...live.settings, now: now.getTime() })
  return analyze(world, { analyzers: ANALYZERS, unavailable: live.unavailable }).findings
}
