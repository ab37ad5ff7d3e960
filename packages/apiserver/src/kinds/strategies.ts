/** Which defaults and checks belong to which built-in kind. */

import { customResourceDefinitionStrategy } from '../crd/definition-strategy.ts'
import { type FieldError, fieldForbidden, invalid, required, unsupported } from '../errors.ts'
import type { Strategy } from '../registry/kind.ts'
import { at, equal, fill, into, isObj, list, num, type Obj, obj, objs, str } from '../values.ts'
import { checkSelector, isDnsSubdomain, isPathSegment } from './names.ts'
import { defaultTemplate, podStrategy } from './pod.ts'
import { serviceStrategy } from './service.ts'
import {
  cronJobStrategy,
  daemonSetStrategy,
  deploymentStrategy,
  jobStrategy,
  replicaSetStrategy,
  replicationControllerStrategy,
  statefulSetStrategy,
} from './workloads.ts'

function checkDataKeys(o: Obj, fields: readonly string[]): FieldError[] {
  const errors: FieldError[] = []
  for (const field of fields) {
    for (const key of Object.keys(obj(o[field]))) {
      if (!/^[-._a-zA-Z0-9]+$/.test(key) || key.length > 253 || key === '.' || key === '..') {
        errors.push(
          invalid(
            `${field}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        )
      }
    }
  }
  return errors
}

const immutableData = (o: Obj, old: Obj | undefined, fields: readonly string[]): FieldError[] =>
  old?.['immutable'] === true
    ? fields.filter((f) => !equal(o[f], old[f])).map((f) => fieldForbidden(f, 'field is immutable when `immutable` is set'))
    : []

const isBase64 = (text: unknown) => typeof text === 'string' && /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)

const secretStrategy: Strategy = {
  defaults: (o) => {
    fill(o, 'type', 'Opaque')
    const plain = obj(o['stringData'])
    if (Object.keys(plain).length > 0) {
      const data = into(o, 'data')
      for (const [key, value] of Object.entries(plain)) data[key] = Buffer.from(str(value)).toString('base64')
    }
    delete o['stringData']
  },
  validate: (o, old) => {
    const errors = [...checkDataKeys(o, ['data']), ...immutableData(o, old, ['data'])]
    for (const [key, value] of Object.entries(obj(o['data'])))
      if (!isBase64(value)) errors.push(invalid(`data[${key}]`, '<redacted>', 'must be base64'))
    if (old && old['type'] !== o['type']) errors.push(invalid('type', o['type'], 'field is immutable'))
    if (o['type'] === 'kubernetes.io/tls')
      for (const key of ['tls.crt', 'tls.key']) if (at(o, 'data', key) === undefined) errors.push(required(`data[${key}]`))
    return errors
  },
}

const configMapStrategy: Strategy = {
  validate: (o, old) => {
    const errors = [...checkDataKeys(o, ['data', 'binaryData']), ...immutableData(o, old, ['data', 'binaryData'])]
    const size = JSON.stringify([o['data'] ?? {}, o['binaryData'] ?? {}]).length
    if (size > 1024 * 1024 + 64 * 1024)
      errors.push({ field: '', reason: 'FieldValueTooLong', message: 'Too long: may not be more than 1048576 bytes' })
    return errors
  },
}

const namespaceStrategy: Strategy = {
  defaults: (o) => {
    const meta = into(o, 'metadata')
    const name = str(meta['name'])
    if (name !== '') into(meta, 'labels')['kubernetes.io/metadata.name'] = name
  },
  prepareCreate: (o) => {
    into(o, 'spec')['finalizers'] = ['kubernetes']
    o['status'] = { phase: 'Active' }
  },
  prepareUpdate: (o, old) => {
    const spec = into(o, 'spec')
    spec['finalizers'] = obj(old['spec'])['finalizers']
    if (spec['finalizers'] === undefined) delete spec['finalizers']
    o['status'] = old['status']
  },
  validate: (o) => {
    const name = str(at(o, 'metadata', 'name'))
    return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) && name.length <= 63
      ? []
      : [
          invalid(
            'metadata.name',
            name,
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
          ),
        ]
  },
}

const rbacRules = (o: Obj): FieldError[] =>
  objs(o['rules']).flatMap((rule, i) => {
    const errors: FieldError[] = []
    if (list(rule['verbs']).length === 0) errors.push(required(`rules[${i}].verbs`, 'verbs must contain at least one value'))
    if (list(rule['nonResourceURLs']).length === 0) {
      if (list(rule['apiGroups']).length === 0)
        errors.push(required(`rules[${i}].apiGroups`, 'resource rules must supply at least one api group'))
      if (list(rule['resources']).length === 0)
        errors.push(required(`rules[${i}].resources`, 'resource rules must supply at least one resource'))
    }
    return errors
  })

const bindingStrategy: Strategy = {
  defaults: (o) => {
    const ref = o['roleRef']
    if (isObj(ref) && str(ref['apiGroup']) === '') ref['apiGroup'] = 'rbac.authorization.k8s.io'
    for (const subject of objs(o['subjects']))
      if (str(subject['apiGroup']) === '')
        subject['apiGroup'] = subject['kind'] === 'ServiceAccount' ? undefined : 'rbac.authorization.k8s.io'
    for (const subject of objs(o['subjects'])) if (subject['apiGroup'] === undefined) delete subject['apiGroup']
  },
  validate: (o, old) => {
    const errors: FieldError[] = []
    const kind = at(o, 'roleRef', 'kind')
    if (kind !== 'Role' && kind !== 'ClusterRole') errors.push(unsupported('roleRef.kind', kind, ['ClusterRole', 'Role']))
    if (str(at(o, 'roleRef', 'name')) === '') errors.push(required('roleRef.name'))
    objs(o['subjects']).forEach((subject, i) => {
      if (!['User', 'Group', 'ServiceAccount'].includes(str(subject['kind'])))
        errors.push(unsupported(`subjects[${i}].kind`, subject['kind'], ['Group', 'ServiceAccount', 'User']))
      if (str(subject['name']) === '') errors.push(required(`subjects[${i}].name`))
      if (subject['kind'] === 'ServiceAccount' && str(subject['namespace']) === '') errors.push(required(`subjects[${i}].namespace`))
    })
    if (old && !equal(old['roleRef'], o['roleRef'])) errors.push(invalid('roleRef', o['roleRef'], 'cannot change roleRef'))
    return errors
  },
}

const webhookConfigurationStrategy = (mutating: boolean): Strategy => ({
  defaults: (o) => {
    for (const hook of objs(o['webhooks'])) {
      fill(hook, 'failurePolicy', 'Fail')
      fill(hook, 'matchPolicy', 'Equivalent')
      fill(hook, 'namespaceSelector', {})
      fill(hook, 'objectSelector', {})
      fill(hook, 'timeoutSeconds', 10)
      if (mutating) fill(hook, 'reinvocationPolicy', 'Never')
      for (const rule of objs(hook['rules'])) fill(rule, 'scope', '*')
      const service = at(hook, 'clientConfig', 'service')
      if (isObj(service)) fill(service, 'port', 443)
    }
  },
  validate: (o) => {
    const errors: FieldError[] = []
    const names = new Set<string>()
    objs(o['webhooks']).forEach((hook, i) => {
      const path = `webhooks[${i}]`
      const name = str(hook['name'])
      if (name === '') errors.push(required(`${path}.name`))
      else if (!isDnsSubdomain(name) || name.split('.').length < 3)
        errors.push(invalid(`${path}.name`, name, 'should be a domain with at least three segments separated by dots'))
      else if (names.has(name))
        errors.push({ field: `${path}.name`, reason: 'FieldValueDuplicate', message: `Duplicate value: ${JSON.stringify(name)}` })
      names.add(name)
      const config = obj(hook['clientConfig'])
      if ((config['url'] === undefined) === (config['service'] === undefined))
        errors.push(required(`${path}.clientConfig`, 'exactly one of url or service is required'))
      if (config['url'] !== undefined && !/^https:\/\//.test(str(config['url'])))
        errors.push(
          invalid(`${path}.clientConfig.url`, config['url'], "'https' is the only allowed URL scheme; desired format: https://host[/path]"),
        )
      if (!list(hook['admissionReviewVersions']).includes('v1'))
        errors.push(
          invalid(`${path}.admissionReviewVersions`, hook['admissionReviewVersions'] ?? [], 'must include at least one of v1, v1beta1'),
        )
      if (!['None', 'NoneOnDryRun'].includes(str(hook['sideEffects'])))
        errors.push(unsupported(`${path}.sideEffects`, hook['sideEffects'], ['None', 'NoneOnDryRun']))
      const timeout = num(hook['timeoutSeconds'])
      if (timeout < 1 || timeout > 30)
        errors.push(invalid(`${path}.timeoutSeconds`, hook['timeoutSeconds'], 'the timeout value must be between 1 and 30 seconds'))
      errors.push(
        ...checkSelector(hook['namespaceSelector'], `${path}.namespaceSelector`),
        ...checkSelector(hook['objectSelector'], `${path}.objectSelector`),
      )
    })
    return errors
  },
})

const endpointSliceStrategy: Strategy = {
  defaults: (o) => {
    for (const port of objs(o['ports'])) {
      fill(port, 'name', '')
      fill(port, 'protocol', 'TCP')
    }
  },
  validate: (o, old) => {
    const errors: FieldError[] = []
    const type = o['addressType']
    if (!['IPv4', 'IPv6', 'FQDN'].includes(str(type)))
      errors.push(type === undefined ? required('addressType') : unsupported('addressType', type, ['FQDN', 'IPv4', 'IPv6']))
    if (old && old['addressType'] !== type) errors.push(invalid('addressType', type, 'field is immutable'))
    objs(o['endpoints']).forEach((endpoint, i) => {
      if (list(endpoint['addresses']).length === 0) errors.push(required(`endpoints[${i}].addresses`, 'must contain at least 1 address'))
    })
    return errors
  },
}

const STRATEGIES: Readonly<Record<string, Strategy>> = {
  'core.v1.Namespace': namespaceStrategy,
  'core.v1.Pod': podStrategy,
  'core.v1.Service': serviceStrategy,
  'core.v1.Secret': secretStrategy,
  'core.v1.ConfigMap': configMapStrategy,
  'core.v1.Node': { defaults: (o) => fill(o, 'spec', {}) },
  'core.v1.PodTemplate': { defaults: (o) => defaultTemplate(o['template']) },
  'core.v1.ReplicationController': replicationControllerStrategy,
  'core.v1.Endpoints': {
    defaults: (o) => {
      for (const subset of objs(o['subsets'])) for (const port of objs(subset['ports'])) fill(port, 'protocol', 'TCP')
    },
  },
  'core.v1.PersistentVolumeClaim': {
    defaults: (o) => fill(into(o, 'spec'), 'volumeMode', 'Filesystem'),
    prepareCreate: (o) => void (o['status'] = { phase: 'Pending' }),
  },
  'core.v1.PersistentVolume': {
    defaults: (o) => {
      fill(into(o, 'spec'), 'persistentVolumeReclaimPolicy', 'Retain')
      fill(into(o, 'spec'), 'volumeMode', 'Filesystem')
    },
    prepareCreate: (o) => void (o['status'] = { phase: 'Pending' }),
  },
  'apps.v1.Deployment': deploymentStrategy,
  'apps.v1.ReplicaSet': replicaSetStrategy,
  'apps.v1.StatefulSet': statefulSetStrategy,
  'apps.v1.DaemonSet': daemonSetStrategy,
  'batch.v1.Job': jobStrategy,
  'batch.v1.CronJob': cronJobStrategy,
  'autoscaling.v2.HorizontalPodAutoscaler': {
    defaults: (o) => {
      fill(into(o, 'spec'), 'minReplicas', 1)
      fill(into(o, 'spec'), 'metrics', [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
      ])
    },
    prepareCreate: (o) => void (o['status'] = { desiredReplicas: 0, currentMetrics: null }),
    validate: (o) => {
      const spec = obj(o['spec'])
      const max = num(spec['maxReplicas'])
      const errors: FieldError[] = max < 1 ? [invalid('spec.maxReplicas', max, 'must be greater than 0')] : []
      if (max < num(spec['minReplicas'])) errors.push(invalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`'))
      return errors
    },
  },
  'discovery.v1.EndpointSlice': endpointSliceStrategy,
  'networking.v1.Ingress': {
    prepareCreate: (o) => void (o['status'] = { loadBalancer: {} }),
    validate: (o) => {
      const spec = obj(o['spec'])
      const errors: FieldError[] = []
      if (objs(spec['rules']).length === 0 && !isObj(spec['defaultBackend']))
        errors.push(invalid('spec', spec, 'either `defaultBackend` or `rules` must be specified'))
      for (const [i, rule] of objs(spec['rules']).entries()) {
        for (const [j, path] of objs(at(rule, 'http', 'paths')).entries()) {
          const where = `spec.rules[${i}].http.paths[${j}]`
          if (path['pathType'] === undefined) errors.push(required(`${where}.pathType`, 'pathType must be specified'))
          if (path['pathType'] !== 'ImplementationSpecific' && !str(path['path']).startsWith('/'))
            errors.push(invalid(`${where}.path`, path['path'] ?? '', 'must be an absolute path'))
        }
      }
      return errors
    },
  },
  'networking.v1.NetworkPolicy': {
    defaults: (o) => {
      const spec = into(o, 'spec')
      fill(spec, 'policyTypes', ['Ingress', ...(list(spec['egress']).length > 0 ? ['Egress'] : [])])
      for (const rule of [...objs(spec['ingress']), ...objs(spec['egress'])])
        for (const port of objs(rule['ports'])) fill(port, 'protocol', 'TCP')
    },
  },
  'rbac.v1.Role': { validate: rbacRules },
  'rbac.v1.ClusterRole': { validate: rbacRules },
  'rbac.v1.RoleBinding': bindingStrategy,
  'rbac.v1.ClusterRoleBinding': bindingStrategy,
  'policy.v1.PodDisruptionBudget': {
    prepareCreate: (o) => void (o['status'] = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }),
    validate: (o) => checkSelector(at(o, 'spec', 'selector'), 'spec.selector'),
  },
  'coordination.v1.Lease': {
    validate: (o) => {
      const seconds = at(o, 'spec', 'leaseDurationSeconds')
      return typeof seconds === 'number' && seconds <= 0 ? [invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')] : []
    },
  },
  'certificates.v1.CertificateSigningRequest': {
    defaults: (o) => fill(into(o, 'spec'), 'usages', ['digital signature', 'key encipherment']),
    prepareCreate: (o, context) => {
      into(o, 'spec')['username'] = context.user
      o['status'] = {}
    },
    validate: (o) => (str(at(o, 'spec', 'signerName')) === '' ? [required('spec.signerName')] : []),
  },
  'admissionregistration.v1.MutatingWebhookConfiguration': webhookConfigurationStrategy(true),
  'admissionregistration.v1.ValidatingWebhookConfiguration': webhookConfigurationStrategy(false),
  'apiextensions.v1.CustomResourceDefinition': customResourceDefinitionStrategy,
  'scheduling.v1.PriorityClass': { defaults: (o) => fill(o, 'preemptionPolicy', 'PreemptLowerPriority') },
  'storage.v1.StorageClass': {
    defaults: (o) => {
      fill(o, 'reclaimPolicy', 'Delete')
      fill(o, 'volumeBindingMode', 'Immediate')
    },
  },
}

export function strategyOf(definition: string): Strategy {
  return STRATEGIES[definition] ?? {}
}

const SEGMENT_NAMES = new Set(['rbac.authorization.k8s.io'])

/** Whether a name may be given to an object of a group's kind. */
export function checkName(group: string, kind: string, name: string): FieldError[] {
  if (SEGMENT_NAMES.has(group) || kind === 'Event') {
    return isPathSegment(name) ? [] : [invalid('metadata.name', name, `may not contain '/' or '%', nor be '.' or '..'`)]
  }
  // The strategies of these check a stricter form.
  if (kind === 'Service' || kind === 'Namespace') return []
  return isDnsSubdomain(name)
    ? []
    : [
        invalid(
          'metadata.name',
          name,
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
      ]
}
