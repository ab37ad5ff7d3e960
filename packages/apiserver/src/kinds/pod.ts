/** Pods and pod templates: defaults and checks. */
import { duplicate, type FieldError, fieldForbidden, invalid, required, unsupported } from '../errors.ts'
import type { Strategy } from '../registry/kind.ts'
import { at, copy, equal, fill, into, isObj, list, num, type Obj, obj, objs, str } from '../values.ts'
import { checkAnnotations, checkLabels, isDnsLabel, isDnsSubdomain, isPortName, isQuantity } from './names.ts'

/** Defaults of a PodSpec, in a pod or in a template. */
export function defaultPodSpec(spec: Obj): void {
  fill(spec, 'restartPolicy', 'Always')
  fill(spec, 'terminationGracePeriodSeconds', 30)
  fill(spec, 'dnsPolicy', 'ClusterFirst')
  fill(spec, 'schedulerName', 'default-scheduler')
  fill(spec, 'securityContext', {})
  if (typeof spec['serviceAccountName'] === 'string' && spec['serviceAccountName'] !== '')
    spec['serviceAccount'] = spec['serviceAccountName']
  else if (typeof spec['serviceAccount'] === 'string' && spec['serviceAccount'] !== '') spec['serviceAccountName'] = spec['serviceAccount']
  for (const field of ['containers', 'initContainers', 'ephemeralContainers']) for (const c of objs(spec[field])) defaultContainer(c, spec)
  for (const volume of objs(spec['volumes'])) defaultVolume(volume)
}

function defaultContainer(c: Obj, spec: Obj): void {
  fill(c, 'terminationMessagePath', '/dev/termination-log')
  fill(c, 'terminationMessagePolicy', 'File')
  const image = str(c['image'])
  const tag = image.includes('@') ? '' : (/:([^:/]+)$/.exec(image)?.[1] ?? 'latest')
  fill(c, 'imagePullPolicy', tag === 'latest' ? 'Always' : 'IfNotPresent')
  fill(c, 'resources', {})
  const resources = into(c, 'resources')
  if (isObj(resources['limits'])) {
    const requests = into(resources, 'requests')
    for (const [name, value] of Object.entries(resources['limits'])) fill(requests, name, value)
  }
  for (const port of objs(c['ports'])) {
    fill(port, 'protocol', 'TCP')
    if (spec['hostNetwork'] === true) fill(port, 'hostPort', port['containerPort'])
  }
  for (const env of objs(c['env'])) {
    const ref = at(env, 'valueFrom', 'fieldRef')
    if (isObj(ref)) fill(ref, 'apiVersion', 'v1')
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const p = c[probe]
    if (!isObj(p)) continue
    fill(p, 'timeoutSeconds', 1)
    fill(p, 'periodSeconds', 10)
    fill(p, 'successThreshold', 1)
    fill(p, 'failureThreshold', 3)
    defaultHandler(p)
  }
  for (const hook of ['postStart', 'preStop']) {
    const handler = at(c, 'lifecycle', hook)
    if (isObj(handler)) defaultHandler(handler)
  }
}

function defaultHandler(handler: Obj): void {
  const http = handler['httpGet']
  if (isObj(http)) {
    fill(http, 'scheme', 'HTTP')
    if (str(http['path']) === '') http['path'] = '/'
  }
  const grpc = handler['grpc']
  if (isObj(grpc)) fill(grpc, 'service', '')
}

const SOURCES_WITH_MODE = ['secret', 'configMap', 'downwardAPI', 'projected']

function defaultVolume(volume: Obj): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume['emptyDir'] = {}
  for (const source of SOURCES_WITH_MODE) {
    const value = volume[source]
    if (isObj(value)) fill(value, 'defaultMode', 420)
  }
  const hostPath = volume['hostPath']
  if (isObj(hostPath)) fill(hostPath, 'type', '')
  const refs = [...objs(at(volume, 'downwardAPI', 'items'))]
  for (const source of objs(at(volume, 'projected', 'sources'))) {
    refs.push(...objs(at(source, 'downwardAPI', 'items')))
    const token = source['serviceAccountToken']
    if (isObj(token)) fill(token, 'expirationSeconds', 3600)
  }
  for (const item of refs) if (isObj(item['fieldRef'])) fill(item['fieldRef'], 'apiVersion', 'v1')
}

const QOS_RESOURCES = ['cpu', 'memory']

function qosClass(spec: Obj): string {
  let guaranteed = true
  let any = false
  for (const c of [...objs(spec['containers']), ...objs(spec['initContainers'])]) {
    const requests = obj(at(c, 'resources', 'requests'))
    const limits = obj(at(c, 'resources', 'limits'))
    for (const name of QOS_RESOURCES) {
      if (requests[name] !== undefined || limits[name] !== undefined) any = true
      if (limits[name] === undefined || (requests[name] !== undefined && requests[name] !== limits[name])) guaranteed = false
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable'
}

/** Tolerations that every pod gets, so that a short outage of its node does not evict it. */
function addNotReadyTolerations(spec: Obj): void {
  const tolerations = objs(spec['tolerations'])
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const has = tolerations.some(
      (t) =>
        (t['key'] === key || (t['key'] === undefined && t['operator'] === 'Exists')) &&
        (t['effect'] === 'NoExecute' || t['effect'] === undefined),
    )
    if (!has) tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 })
  }
  spec['tolerations'] = tolerations
}

export function validatePodSpec(spec: unknown, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (!isObj(spec)) return [required(`${path}.containers`)]
  const volumes = new Set<string>()
  objs(spec['volumes']).forEach((volume, i) => {
    const name = str(volume['name'])
    const at = `${path}.volumes[${i}].name`
    if (name === '') errors.push(required(at))
    else if (!isDnsLabel(name)) errors.push(invalid(at, name, DNS_LABEL))
    else if (volumes.has(name)) errors.push(duplicate(at, name))
    volumes.add(name)
    const sources = Object.keys(volume).filter((k) => k !== 'name')
    if (sources.length > 1) errors.push(fieldForbidden(`${path}.volumes[${i}].${sources[1]}`, 'may not specify more than 1 volume type'))
  })
  const names = new Set<string>()
  const containers = objs(spec['containers'])
  if (containers.length === 0) errors.push(required(`${path}.containers`))
  for (const [i, c] of objs(spec['initContainers']).entries())
    errors.push(...validateContainer(c, `${path}.initContainers[${i}]`, names, volumes))
  for (const [i, c] of containers.entries()) errors.push(...validateContainer(c, `${path}.containers[${i}]`, names, volumes))
  const grace = spec['terminationGracePeriodSeconds']
  if (typeof grace === 'number' && grace < 0)
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'))
  const account = str(spec['serviceAccountName'])
  if (account !== '' && !isDnsSubdomain(account)) errors.push(invalid(`${path}.serviceAccountName`, account, DNS_SUBDOMAIN))
  const node = str(spec['nodeName'])
  if (node !== '' && !isDnsSubdomain(node)) errors.push(invalid(`${path}.nodeName`, node, DNS_SUBDOMAIN))
  const hostname = str(spec['hostname'])
  if (hostname !== '' && !isDnsLabel(hostname)) errors.push(invalid(`${path}.hostname`, hostname, DNS_LABEL))
  return errors
}

export const DNS_LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
export const DNS_SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

function validateContainer(c: Obj, path: string, names: Set<string>, volumes: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = []
  const name = str(c['name'])
  if (name === '') errors.push(required(`${path}.name`))
  else if (!isDnsLabel(name)) errors.push(invalid(`${path}.name`, name, DNS_LABEL))
  else if (names.has(name)) errors.push(duplicate(`${path}.name`, name))
  names.add(name)
  if (str(c['image']) === '') errors.push(required(`${path}.image`))
  const portNames = new Set<string>()
  objs(c['ports']).forEach((port, i) => {
    const at = `${path}.ports[${i}]`
    const number = port['containerPort']
    if (number === undefined || number === 0) errors.push(required(`${at}.containerPort`))
    else if (typeof number === 'number' && (number < 1 || number > 65535))
      errors.push(invalid(`${at}.containerPort`, number, 'must be between 1 and 65535, inclusive'))
    const portName = str(port['name'])
    if (portName !== '') {
      if (!isPortName(portName)) errors.push(invalid(`${at}.name`, portName, PORT_NAME))
      else if (portNames.has(portName)) errors.push(duplicate(`${at}.name`, portName))
      portNames.add(portName)
    }
  })
  objs(c['env']).forEach((env, i) => {
    const at = `${path}.env[${i}]`
    if (str(env['name']) === '') errors.push(required(`${at}.name`))
    if (str(env['value']) !== '' && isObj(env['valueFrom']))
      errors.push(invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'))
  })
  const mounts = new Set<string>()
  objs(c['volumeMounts']).forEach((mount, i) => {
    const at = `${path}.volumeMounts[${i}]`
    const volume = str(mount['name'])
    if (volume === '') errors.push(required(`${at}.name`))
    else if (!volumes.has(volume))
      errors.push({ field: `${at}.name`, reason: 'FieldValueInvalid', message: `Not found: ${JSON.stringify(volume)}` })
    const target = str(mount['mountPath'])
    if (target === '') errors.push(required(`${at}.mountPath`))
    else if (mounts.has(target)) errors.push(invalid(`${at}.mountPath`, target, 'must be unique'))
    mounts.add(target)
  })
  for (const part of ['limits', 'requests']) {
    for (const [resource, value] of Object.entries(obj(at(c, 'resources', part)))) {
      if (!isQuantity(value)) {
        errors.push(
          invalid(
            `${path}.resources.${part}[${resource}]`,
            value,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
          ),
        )
      }
    }
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle.preStop', 'lifecycle.postStart']) {
    const value = at(c, ...probe.split('.'))
    if (!isObj(value)) continue
    const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'].filter((h) => value[h] !== undefined)
    if (handlers.length === 0) errors.push(required(`${path}.${probe}`, 'must specify a handler type'))
    else if (handlers.length > 1) errors.push(fieldForbidden(`${path}.${probe}.${handlers[1]}`, 'may not specify more than 1 handler type'))
    for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']) {
      if (num(value[field]) < 0) errors.push(invalid(`${path}.${probe}.${field}`, value[field], 'must be greater than or equal to 0'))
    }
  }
  return errors
}

export const PORT_NAME =
  "must contain only alpha-numeric characters (a-z, 0-9), and hyphens ('-'), must contain at least one letter (a-z), must not start or end with a hyphen, and be no more than 15 characters"

/** Defaults of a pod template; its metadata is checked like an object's. */
export function defaultTemplate(template: unknown): void {
  if (!isObj(template)) return
  fill(template, 'metadata', {})
  const metadata = obj(template['metadata'])
  fill(metadata, 'creationTimestamp', null)
  if (isObj(template['spec'])) defaultPodSpec(template['spec'])
}

export function validateTemplate(template: unknown, path: string): FieldError[] {
  return [
    ...checkLabels(at(template, 'metadata', 'labels'), `${path}.metadata.labels`),
    ...checkAnnotations(at(template, 'metadata', 'annotations'), `${path}.metadata.annotations`),
    ...validatePodSpec(at(template, 'spec'), `${path}.spec`),
  ]
}

/** What may change in a running pod's spec. */
function frozen(spec: unknown): Obj {
  const result = copy(obj(spec))
  for (const field of [
    'activeDeadlineSeconds',
    'terminationGracePeriodSeconds',
    'tolerations',
    'schedulingGates',
    'ephemeralContainers',
    'nodeName',
  ])
    delete result[field]
  for (const c of [...objs(result['containers']), ...objs(result['initContainers'])]) delete c['image']
  return result
}

export const podStrategy: Strategy = {
  defaults: (pod) => {
    fill(pod, 'spec', {})
    defaultPodSpec(into(pod, 'spec'))
    fill(into(pod, 'spec'), 'enableServiceLinks', true)
  },
  prepareCreate: (pod, context) => {
    const spec = into(pod, 'spec')
    addNotReadyTolerations(spec)
    fill(spec, 'preemptionPolicy', 'PreemptLowerPriority')
    fill(spec, 'priority', 0)
    const priorityClass = str(spec['priorityClassName'])
    if (priorityClass) {
      const found = context.read('scheduling.k8s.io/priorityclasses', '', priorityClass)
      if (found) spec['priority'] = num(found['value'])
      else if (priorityClass === 'system-node-critical') spec['priority'] = 2000001000
      else if (priorityClass === 'system-cluster-critical') spec['priority'] = 2000000000
    }
    if (str(spec['serviceAccountName']) === '') {
      spec['serviceAccountName'] = 'default'
      spec['serviceAccount'] = 'default'
    }
    addTokenVolume(pod, context.read('/serviceaccounts', str(at(pod, 'metadata', 'namespace')), str(spec['serviceAccountName'])))
    pod['status'] = { phase: 'Pending', qosClass: qosClass(spec) }
  },
  prepareUpdate: (pod, old) => {
    pod['status'] = old['status']
  },
  validate: (pod, old) => {
    const errors = validatePodSpec(pod['spec'], 'spec')
    if (old && errors.length === 0) {
      const before = str(at(old, 'spec', 'nodeName'))
      if (!equal(frozen(old['spec']), frozen(pod['spec'])) || (before !== '' && before !== str(at(pod, 'spec', 'nodeName')))) {
        errors.push(
          fieldForbidden(
            'spec',
            'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
          ),
        )
      }
    }
    const policy = at(pod, 'spec', 'restartPolicy')
    if (!['Always', 'OnFailure', 'Never'].includes(str(policy)))
      errors.push(unsupported('spec.restartPolicy', policy, ['Always', 'Never', 'OnFailure']))
    return errors
  },
  grace: (pod) =>
    str(at(pod, 'spec', 'nodeName')) === '' || ['Succeeded', 'Failed'].includes(str(at(pod, 'status', 'phase')))
      ? 0
      : num(at(pod, 'spec', 'terminationGracePeriodSeconds'), 30),
}

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Mounts the service account's token, unless the pod or the account says no. */
function addTokenVolume(pod: Obj, account: Obj | undefined): void {
  const spec = into(pod, 'spec')
  const automount = spec['automountServiceAccountToken'] ?? account?.['automountServiceAccountToken'] ?? true
  if (account && list(spec['imagePullSecrets']).length === 0 && list(account['imagePullSecrets']).length > 0)
    spec['imagePullSecrets'] = copy(account['imagePullSecrets'])
  if (automount !== true) return
  const containers = [...objs(spec['initContainers']), ...objs(spec['containers'])]
  const needing = containers.filter((c) => !objs(c['volumeMounts']).some((m) => m['mountPath'] === TOKEN_PATH))
  if (needing.length === 0) return
  const volumes = objs(spec['volumes'])
  let name = str(volumes.find((v) => str(v['name']).startsWith('kube-api-access-'))?.['name'])
  if (name === '') {
    name = `kube-api-access-${suffix()}`
    volumes.push({
      name,
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
        ],
      },
    })
    spec['volumes'] = volumes
  }
  for (const c of needing) c['volumeMounts'] = [...objs(c['volumeMounts']), { name, mountPath: TOKEN_PATH, readOnly: true }]
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

/** Five characters for generated names, none of which spell words. */
export function suffix(): string {
  let result = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(5))) result += ALPHABET[byte % ALPHABET.length] ?? 'x'
  return result
}
