/** The kinds that the local cluster reads and writes. */
import type { ResourceType } from '@lateen/api'

const core = (kind: string, plural: string, namespaced = true): ResourceType => ({ group: '', version: 'v1', kind, plural, namespaced })
const of = (group: string, kind: string, plural: string): ResourceType => ({ group, version: 'v1', kind, plural, namespaced: true })

export const POD = core('Pod', 'pods')
export const SERVICE = core('Service', 'services')
export const ENDPOINTS = core('Endpoints', 'endpoints')
export const CONFIG_MAP = core('ConfigMap', 'configmaps')
export const SECRET = core('Secret', 'secrets')
export const SERVICE_ACCOUNT = core('ServiceAccount', 'serviceaccounts')
export const EVENT = core('Event', 'events')
export const NAMESPACE = core('Namespace', 'namespaces', false)
export const NODE = core('Node', 'nodes', false)
export const PERSISTENT_VOLUME_CLAIM = core('PersistentVolumeClaim', 'persistentvolumeclaims')
export const DEPLOYMENT = of('apps', 'Deployment', 'deployments')
export const REPLICA_SET = of('apps', 'ReplicaSet', 'replicasets')
export const STATEFUL_SET = of('apps', 'StatefulSet', 'statefulsets')
export const DAEMON_SET = of('apps', 'DaemonSet', 'daemonsets')
export const CONTROLLER_REVISION = of('apps', 'ControllerRevision', 'controllerrevisions')
export const JOB = of('batch', 'Job', 'jobs')
export const CRON_JOB = of('batch', 'CronJob', 'cronjobs')
export const ENDPOINT_SLICE = of('discovery.k8s.io', 'EndpointSlice', 'endpointslices')
export const LEASE = of('coordination.k8s.io', 'Lease', 'leases')

/** `apps/v1`, or `v1` in the core group. */
export function apiVersion(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}
