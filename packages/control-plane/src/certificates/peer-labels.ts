/** What a workload's certificate says in its subject, for the metrics of its peers: workload, namespace, cluster, canonical and own names and versions. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import type { PeerLabels } from '@lateen/ca'
import type { KubeClient } from '@lateen/kube'
import { workloadName } from '@lateen/model'

const log = logger('ca')

/** Labels of the pod that a token was made for; none when it cannot be read: metrics then lack them, and nothing else. */
export function podLabels(
  client: KubeClient,
  clusterId: string,
): (pod: { readonly namespace: string; readonly name: string }) => Promise<PeerLabels> {
  return async ({ namespace, name }) => {
    try {
      return labelsOfPod(await client.get(RESOURCE_TYPES.Pod, namespace, name), clusterId)
    } catch (error) {
      log.info(
        `pod ${namespace}/${name} could not be read for its certificate's labels: ${error instanceof Error ? error.message : String(error)}`,
      )
      return {}
    }
  }
}

function labelsOfPod({ metadata }: KubeObject, cluster: string): PeerLabels {
  const { labels = {}, ownerReferences } = metadata
  const version = labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels.version ?? 'latest'
  const workload =
    labels['service.istio.io/workload-name'] ??
    workloadName({ name: metadata.name, labels, ...(ownerReferences ? { ownerReferences } : {}) })
  return {
    workload,
    namespace: metadata.namespace ?? '',
    version,
    cluster,
    service: labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels.app ?? workload,
    ...(labels.app ? { app: labels.app } : {}),
    ...(labels.version ? { appVersion: labels.version } : {}),
  }
}

/** Reads back the units that the CA wrote: `wl.cart`, `ns.shop`, `ver.v1`, `cl.east`. */
export function labelsOfUnits(units: string | string[] | undefined): PeerLabels {
  const list = Array.isArray(units) ? units : [units ?? '']
  const find = (prefix: string) => list.find((unit) => unit.startsWith(`${prefix}.`))?.slice(prefix.length + 1)
  const [workload, namespace, version, cluster, service, app, appVersion] = ['wl', 'ns', 'ver', 'cl', 'cs', 'app', 'av'].map(find)
  return {
    ...(workload ? { workload } : {}),
    ...(namespace ? { namespace } : {}),
    ...(version ? { version } : {}),
    ...(cluster ? { cluster } : {}),
    ...(service ? { service } : {}),
    ...(app ? { app } : {}),
    ...(appVersion ? { appVersion } : {}),
  }
}
