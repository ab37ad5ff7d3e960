/** The columns that `kubectl get` shows for each built-in kind, as Kubernetes has them. */
import type { Column } from '../registry/kind.ts'
import { at, list, num, type Obj, obj, objs, str, strings } from '../values.ts'
import { age, column, labelText, name, selectorText, timeSince, wide } from './column-parts.ts'
import { podColumns } from './pod-columns.ts'

const count = (o: Obj, ...path: string[]) => num(at(o, ...path))
const images = (o: Obj) =>
  objs(at(o, 'spec', 'template', 'spec', 'containers'))
    .map((c) => str(c['image']))
    .join(',')
const containers = (o: Obj) =>
  objs(at(o, 'spec', 'template', 'spec', 'containers'))
    .map((c) => str(c['name']))
    .join(',')
const templateColumns = [
  wide('Containers', containers),
  wide('Images', images),
  wide('Selector', (o) => selectorText(at(o, 'spec', 'selector'))),
]

function servicePorts(o: Obj): string {
  const ports = objs(at(o, 'spec', 'ports')).map(
    (p) => `${num(p['port'])}${num(p['nodePort']) ? `:${num(p['nodePort'])}` : ''}/${str(p['protocol'])}`,
  )
  return ports.join(',') || '<none>'
}

function externalIp(o: Obj): string {
  const external = list(at(o, 'spec', 'externalIPs')).map(str)
  switch (at(o, 'spec', 'type')) {
    case 'LoadBalancer': {
      const ingress = objs(at(o, 'status', 'loadBalancer', 'ingress')).map((i) => str(i['ip']) || str(i['hostname']))
      return [...ingress, ...external].join(',') || '<pending>'
    }
    case 'ExternalName':
      return str(at(o, 'spec', 'externalName'))
    default:
      return external.join(',') || '<none>'
  }
}

function nodeStatus(o: Obj): string {
  const ready = objs(at(o, 'status', 'conditions')).find((c) => c['type'] === 'Ready')
  const status = ready ? (ready['status'] === 'True' ? 'Ready' : 'NotReady') : 'Unknown'
  return at(o, 'spec', 'unschedulable') === true ? `${status},SchedulingDisabled` : status
}

function nodeRoles(o: Obj): string {
  const prefix = 'node-role.kubernetes.io/'
  const labels = strings(at(o, 'metadata', 'labels'))
  const roles = Object.keys(labels)
    .filter((l) => l.startsWith(prefix) && l.length > prefix.length)
    .map((l) => l.slice(prefix.length))
  return roles.sort().join(',') || '<none>'
}

const address = (type: string) => (o: Obj) =>
  str(objs(at(o, 'status', 'addresses')).find((a) => a['type'] === type)?.['address']) || '<none>'

function endpointsText(o: Obj): string {
  const texts = objs(o['subsets']).flatMap((subset) => {
    const ports = objs(subset['ports'])
    const addresses = objs(subset['addresses']).map((a) => str(a['ip']))
    return ports.length === 0 ? addresses : ports.flatMap((p) => addresses.map((a) => `${a}:${num(p['port'])}`))
  })
  if (texts.length === 0) return '<none>'
  return texts.length > 3 ? `${texts.slice(0, 3).join(',')} + ${texts.length - 3} more...` : texts.join(',')
}

function firstFew(texts: readonly string[], none: string): string {
  if (texts.length === 0) return none
  return texts.length > 3 ? `${texts.slice(0, 3).join(',')} + ${texts.length - 3} more...` : texts.join(',')
}

function ingressPorts(o: Obj): string {
  return objs(at(o, 'spec', 'tls')).length > 0 ? '80, 443' : '80'
}

function jobStatus(o: Obj): string {
  const has = (type: string) => objs(at(o, 'status', 'conditions')).some((c) => c['type'] === type && c['status'] === 'True')
  if (has('Complete')) return 'Complete'
  if (has('Failed')) return 'Failed'
  if (at(o, 'metadata', 'deletionTimestamp')) return 'Terminating'
  if (has('Suspended')) return 'Suspended'
  return has('FailureTarget') ? 'FailureTarget' : has('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running'
}

function jobCompletions(o: Obj): string {
  const done = count(o, 'status', 'succeeded')
  const wanted = at(o, 'spec', 'completions')
  if (typeof wanted === 'number') return `${done}/${wanted}`
  const parallelism = count(o, 'spec', 'parallelism')
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

function jobDuration(o: Obj): string {
  const start = Date.parse(str(at(o, 'status', 'startTime')))
  if (Number.isNaN(start)) return ''
  const end = Date.parse(str(at(o, 'status', 'completionTime')))
  return timeSince((Number.isNaN(end) ? Date.now() : end) - start)
}

function hpaTargets(o: Obj): string {
  const current = objs(at(o, 'status', 'currentMetrics'))
  const texts = objs(at(o, 'spec', 'metrics')).map((metric, i) => {
    const resource = obj(metric['resource'])
    const target = at(resource, 'target', 'averageUtilization')
    const now = at(current[i], 'resource', 'current', 'averageUtilization')
    return typeof target === 'number'
      ? `${str(resource['name'])}: ${typeof now === 'number' ? `${now}%` : '<unknown>'}/${target}%`
      : '<unknown>'
  })
  return texts.join(', ') || '<none>'
}

function eventSource(o: Obj): string {
  const component = str(at(o, 'source', 'component')) || str(o['reportingComponent'])
  const host = str(at(o, 'source', 'host'))
  return [component, host].filter((t) => t !== '').join(', ')
}

const since = (value: unknown): string => {
  const time = Date.parse(str(value))
  return Number.isNaN(time) ? '<unknown>' : timeSince(Date.now() - time)
}

const subjects = (kind: string) => (o: Obj) =>
  objs(o['subjects'])
    .filter((s) => s['kind'] === kind)
    .map((s) => (kind === 'ServiceAccount' ? `${str(s['namespace'])}/${str(s['name'])}` : str(s['name'])))
    .join(', ')
const role = (o: Obj) => `${str(at(o, 'roleRef', 'kind'))}/${str(at(o, 'roleRef', 'name'))}`
const bindingColumns: Column[] = [
  name,
  column('Role', role),
  age,
  wide('Users', subjects('User')),
  wide('Groups', subjects('Group')),
  wide('ServiceAccounts', subjects('ServiceAccount')),
]
const hooks: Column[] = [name, column('Webhooks', (o) => objs(o['webhooks']).length, 'integer'), age]
const created: Column = column('Created At', (o) => at(o, 'metadata', 'creationTimestamp'), 'string')

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  'core.v1.Pod': podColumns,
  'core.v1.Namespace': [name, column('Status', (o) => str(at(o, 'status', 'phase'))), age],
  'core.v1.Node': [
    name,
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    age,
    column('Version', (o) => str(at(o, 'status', 'nodeInfo', 'kubeletVersion'))),
    wide('Internal-IP', address('InternalIP')),
    wide('External-IP', address('ExternalIP')),
    wide('OS-Image', (o) => str(at(o, 'status', 'nodeInfo', 'osImage')) || '<unknown>'),
    wide('Kernel-Version', (o) => str(at(o, 'status', 'nodeInfo', 'kernelVersion')) || '<unknown>'),
    wide('Container-Runtime', (o) => str(at(o, 'status', 'nodeInfo', 'containerRuntimeVersion')) || '<unknown>'),
  ],
  'core.v1.Service': [
    name,
    column('Type', (o) => str(at(o, 'spec', 'type'))),
    column('Cluster-IP', (o) => str(at(o, 'spec', 'clusterIP')) || '<none>'),
    column('External-IP', externalIp),
    column('Port(s)', servicePorts),
    age,
    wide('Selector', (o) => labelText(at(o, 'spec', 'selector'))),
  ],
  'core.v1.Endpoints': [name, column('Endpoints', endpointsText), age],
  'core.v1.ConfigMap': [
    name,
    column('Data', (o) => Object.keys(obj(o['data'])).length + Object.keys(obj(o['binaryData'])).length, 'integer'),
    age,
  ],
  'core.v1.Secret': [
    name,
    column('Type', (o) => str(o['type'])),
    column('Data', (o) => Object.keys(obj(o['data'])).length, 'integer'),
    age,
  ],
  'core.v1.ServiceAccount': [name, column('Secrets', (o) => list(o['secrets']).length, 'integer'), age],
  'core.v1.Event': [
    column('Last Seen', (o) =>
      since(at(o, 'series', 'lastObservedTime') ?? o['lastTimestamp'] ?? o['eventTime'] ?? at(o, 'metadata', 'creationTimestamp')),
    ),
    column('Type', (o) => str(o['type'])),
    column('Reason', (o) => str(o['reason'])),
    column('Object', (o) => `${str(at(o, 'involvedObject', 'kind')).toLowerCase()}/${str(at(o, 'involvedObject', 'name'))}`),
    wide('Subobject', (o) => str(at(o, 'involvedObject', 'fieldPath'))),
    wide('Source', eventSource),
    column('Message', (o) => str(o['message']).trim()),
    wide('First Seen', (o) => since(o['firstTimestamp'] ?? o['eventTime'])),
    wide('Count', (o) => num(at(o, 'series', 'count')) || num(o['count'], 1), 'integer'),
    wide('Name', (o) => str(at(o, 'metadata', 'name'))),
  ],
  'core.v1.PersistentVolume': [
    name,
    column('Capacity', (o) => str(at(o, 'spec', 'capacity', 'storage'))),
    column('Access Modes', (o) => accessModes(at(o, 'spec', 'accessModes'))),
    column('Reclaim Policy', (o) => str(at(o, 'spec', 'persistentVolumeReclaimPolicy'))),
    column('Status', (o) => str(at(o, 'status', 'phase'))),
    column('Claim', (o) =>
      at(o, 'spec', 'claimRef') ? `${str(at(o, 'spec', 'claimRef', 'namespace'))}/${str(at(o, 'spec', 'claimRef', 'name'))}` : '',
    ),
    column('StorageClass', (o) => str(at(o, 'spec', 'storageClassName'))),
    column('VolumeAttributesClass', (o) => str(at(o, 'spec', 'volumeAttributesClassName')) || '<unset>'),
    column('Reason', (o) => str(at(o, 'status', 'reason'))),
    age,
    wide('VolumeMode', (o) => str(at(o, 'spec', 'volumeMode'))),
  ],
  'core.v1.PersistentVolumeClaim': [
    name,
    column('Status', (o) => str(at(o, 'status', 'phase'))),
    column('Volume', (o) => str(at(o, 'spec', 'volumeName'))),
    column('Capacity', (o) => str(at(o, 'status', 'capacity', 'storage'))),
    column('Access Modes', (o) => accessModes(at(o, 'status', 'accessModes'))),
    column('StorageClass', (o) => str(at(o, 'spec', 'storageClassName'))),
    column('VolumeAttributesClass', (o) => str(at(o, 'spec', 'volumeAttributesClassName')) || '<unset>'),
    age,
    wide('VolumeMode', (o) => str(at(o, 'spec', 'volumeMode'))),
  ],
  'core.v1.ReplicationController': [
    name,
    column('Desired', (o) => count(o, 'spec', 'replicas'), 'integer'),
    column('Current', (o) => count(o, 'status', 'replicas'), 'integer'),
    column('Ready', (o) => count(o, 'status', 'readyReplicas'), 'integer'),
    age,
    wide('Containers', containers),
    wide('Images', images),
    wide('Selector', (o) => labelText(at(o, 'spec', 'selector'))),
  ],
  'core.v1.ResourceQuota': [
    name,
    column('Request', (o) => quota(o, (key) => !key.startsWith('limits.'))),
    column('Limit', (o) => quota(o, (key) => key.startsWith('limits.'))),
    age,
  ],
  'core.v1.LimitRange': [name, created],
  'apps.v1.Deployment': [
    name,
    column('Ready', (o) => `${count(o, 'status', 'readyReplicas')}/${count(o, 'spec', 'replicas')}`),
    column('Up-to-date', (o) => count(o, 'status', 'updatedReplicas'), 'integer'),
    column('Available', (o) => count(o, 'status', 'availableReplicas'), 'integer'),
    age,
    ...templateColumns,
  ],
  'apps.v1.ReplicaSet': [
    name,
    column('Desired', (o) => count(o, 'spec', 'replicas'), 'integer'),
    column('Current', (o) => count(o, 'status', 'replicas'), 'integer'),
    column('Ready', (o) => count(o, 'status', 'readyReplicas'), 'integer'),
    age,
    ...templateColumns,
  ],
  'apps.v1.StatefulSet': [
    name,
    column('Ready', (o) => `${count(o, 'status', 'readyReplicas')}/${count(o, 'spec', 'replicas')}`),
    age,
    wide('Containers', containers),
    wide('Images', images),
  ],
  'apps.v1.DaemonSet': [
    name,
    column('Desired', (o) => count(o, 'status', 'desiredNumberScheduled'), 'integer'),
    column('Current', (o) => count(o, 'status', 'currentNumberScheduled'), 'integer'),
    column('Ready', (o) => count(o, 'status', 'numberReady'), 'integer'),
    column('Up-to-date', (o) => count(o, 'status', 'updatedNumberScheduled'), 'integer'),
    column('Available', (o) => count(o, 'status', 'numberAvailable'), 'integer'),
    column('Node Selector', (o) => labelText(at(o, 'spec', 'template', 'spec', 'nodeSelector'))),
    age,
    ...templateColumns,
  ],
  'apps.v1.ControllerRevision': [
    name,
    column('Controller', (o) => {
      const owner = objs(at(o, 'metadata', 'ownerReferences')).find((r) => r['controller'] === true)
      return owner ? `${str(owner['kind']).toLowerCase()}.${str(owner['apiVersion']).split('/')[0] ?? ''}/${str(owner['name'])}` : '<none>'
    }),
    column('Revision', (o) => num(o['revision']), 'integer'),
    age,
  ],
  'batch.v1.Job': [
    name,
    column('Status', jobStatus),
    column('Completions', jobCompletions),
    column('Duration', jobDuration),
    age,
    ...templateColumns,
  ],
  'batch.v1.CronJob': [
    name,
    column('Schedule', (o) => str(at(o, 'spec', 'schedule'))),
    column('Timezone', (o) => str(at(o, 'spec', 'timeZone')) || '<none>'),
    column('Suspend', (o) => (at(o, 'spec', 'suspend') === true ? 'True' : 'False')),
    column('Active', (o) => list(at(o, 'status', 'active')).length, 'integer'),
    column('Last Schedule', (o) => (at(o, 'status', 'lastScheduleTime') ? since(at(o, 'status', 'lastScheduleTime')) : '<none>')),
    age,
    wide('Containers', (o) =>
      objs(at(o, 'spec', 'jobTemplate', 'spec', 'template', 'spec', 'containers'))
        .map((c) => str(c['name']))
        .join(','),
    ),
    wide('Images', (o) =>
      objs(at(o, 'spec', 'jobTemplate', 'spec', 'template', 'spec', 'containers'))
        .map((c) => str(c['image']))
        .join(','),
    ),
    wide('Selector', (o) => selectorText(at(o, 'spec', 'jobTemplate', 'spec', 'selector'))),
  ],
  'autoscaling.v2.HorizontalPodAutoscaler': [
    name,
    column('Reference', (o) => `${str(at(o, 'spec', 'scaleTargetRef', 'kind'))}/${str(at(o, 'spec', 'scaleTargetRef', 'name'))}`),
    column('Targets', hpaTargets),
    column('MinPods', (o) => String(num(at(o, 'spec', 'minReplicas'), 1))),
    column('MaxPods', (o) => count(o, 'spec', 'maxReplicas'), 'integer'),
    column('Replicas', (o) => count(o, 'status', 'currentReplicas'), 'integer'),
    age,
  ],
  'discovery.v1.EndpointSlice': [
    name,
    column('AddressType', (o) => str(o['addressType'])),
    column('Ports', (o) =>
      firstFew(
        objs(o['ports']).map((p) => (p['port'] === undefined ? '*' : String(p['port']))),
        '<unset>',
      ),
    ),
    column('Endpoints', (o) =>
      firstFew(
        objs(o['endpoints']).flatMap((e) => list(e['addresses']).map(str)),
        '<unset>',
      ),
    ),
    age,
  ],
  'networking.v1.Ingress': [
    name,
    column('Class', (o) => str(at(o, 'spec', 'ingressClassName')) || '<none>'),
    column('Hosts', (o) =>
      firstFew(
        objs(at(o, 'spec', 'rules')).map((r) => str(r['host']) || '*'),
        '*',
      ),
    ),
    column('Address', (o) =>
      objs(at(o, 'status', 'loadBalancer', 'ingress'))
        .map((i) => str(i['ip']) || str(i['hostname']))
        .join(','),
    ),
    column('Ports', ingressPorts),
    age,
  ],
  'networking.v1.IngressClass': [
    name,
    column('Controller', (o) => str(at(o, 'spec', 'controller'))),
    column('Parameters', (o) =>
      at(o, 'spec', 'parameters') ? `${str(at(o, 'spec', 'parameters', 'kind'))}/${str(at(o, 'spec', 'parameters', 'name'))}` : '<none>',
    ),
    age,
  ],
  'networking.v1.NetworkPolicy': [name, column('Pod-Selector', (o) => selectorText(at(o, 'spec', 'podSelector'))), age],
  'policy.v1.PodDisruptionBudget': [
    name,
    column('Min Available', (o) => String(at(o, 'spec', 'minAvailable') ?? 'N/A')),
    column('Max Unavailable', (o) => String(at(o, 'spec', 'maxUnavailable') ?? 'N/A')),
    column('Allowed Disruptions', (o) => count(o, 'status', 'disruptionsAllowed'), 'integer'),
    age,
  ],
  'rbac.v1.Role': [name, created],
  'rbac.v1.ClusterRole': [name, created],
  'rbac.v1.RoleBinding': bindingColumns,
  'rbac.v1.ClusterRoleBinding': bindingColumns,
  'coordination.v1.Lease': [name, column('Holder', (o) => str(at(o, 'spec', 'holderIdentity'))), age],
  'certificates.v1.CertificateSigningRequest': [
    name,
    age,
    column('SignerName', (o) => str(at(o, 'spec', 'signerName')) || '<none>'),
    column('Requestor', (o) => str(at(o, 'spec', 'username'))),
    column('RequestedDuration', (o) => {
      const seconds = at(o, 'spec', 'expirationSeconds')
      return typeof seconds === 'number' ? timeSince(seconds * 1000) : '<none>'
    }),
    column('Condition', (o) => {
      const types = objs(at(o, 'status', 'conditions')).map((c) => str(c['type']))
      const state = types.includes('Denied')
        ? 'Denied'
        : types.includes('Approved')
          ? 'Approved'
          : types.includes('Failed')
            ? 'Failed'
            : 'Pending'
      return at(o, 'status', 'certificate') ? `${state},Issued` : state
    }),
  ],
  'admissionregistration.v1.MutatingWebhookConfiguration': hooks,
  'admissionregistration.v1.ValidatingWebhookConfiguration': hooks,
  'apiextensions.v1.CustomResourceDefinition': [name, created],
  'scheduling.v1.PriorityClass': [
    name,
    column('Value', (o) => num(o['value']), 'integer'),
    column('Global-Default', (o) => o['globalDefault'] === true, 'boolean'),
    age,
    column('PreemptionPolicy', (o) => str(o['preemptionPolicy'])),
  ],
  'node.v1.RuntimeClass': [name, column('Handler', (o) => str(o['handler'])), age],
  'storage.v1.StorageClass': [
    column(
      'Name',
      (o) =>
        `${str(at(o, 'metadata', 'name'))}${strings(at(o, 'metadata', 'annotations'))['storageclass.kubernetes.io/is-default-class'] === 'true' ? ' (default)' : ''}`,
    ),
    column('Provisioner', (o) => str(o['provisioner'])),
    column('ReclaimPolicy', (o) => str(o['reclaimPolicy'])),
    column('VolumeBindingMode', (o) => str(o['volumeBindingMode'])),
    column('AllowVolumeExpansion', (o) => o['allowVolumeExpansion'] === true, 'boolean'),
    age,
  ],
}

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
}
const accessModes = (modes: unknown) =>
  list(modes)
    .map((m) => MODES[str(m)] ?? str(m))
    .join(',')

function quota(o: Obj, wanted: (key: string) => boolean): string {
  const used = obj(at(o, 'status', 'used'))
  return Object.entries(obj(at(o, 'status', 'hard')))
    .filter(([key]) => wanted(key))
    .map(([key, hard]) => `${key}: ${str(used[key]) || '0'}/${str(hard)}`)
    .join(', ')
}

const SAME: Readonly<Record<string, string>> = {
  'events.v1.Event': 'core.v1.Event',
  'autoscaling.v1.HorizontalPodAutoscaler': 'autoscaling.v2.HorizontalPodAutoscaler',
}

/** The columns of a built-in kind; its cells are computed from the stored form of an object. */
export function columnsOf(definition: string): readonly Column[] {
  return COLUMNS[SAME[definition] ?? definition] ?? [name, age]
}
