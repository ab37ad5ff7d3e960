/** Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs: defaults and checks. */
import { type FieldError, fieldForbidden, invalid, required, unsupported } from '../errors.ts'
import type { Strategy } from '../registry/kind.ts'
import { matches, requirementsOf } from '../selectors.ts'
import { at, equal, fill, into, isObj, num, type Obj, obj, str, strings } from '../values.ts'
import { checkSelector } from './names.ts'
import { defaultTemplate, validateTemplate } from './pod.ts'

function validateSelector(spec: Obj, old: Obj | undefined): FieldError[] {
  const selector = spec['selector']
  const errors = checkSelector(selector, 'spec.selector')
  if (!isObj(selector)) errors.push(required('spec.selector'))
  else {
    const requirements = requirementsOf(selector)
    if (requirements.length === 0) errors.push(invalid('spec.selector', selector, 'empty selector is invalid for deployment'))
    const labels = at(spec, 'template', 'metadata', 'labels')
    if (!matches(requirements, labels))
      errors.push(invalid('spec.template.metadata.labels', labels ?? {}, '`selector` does not match template `labels`'))
    if (old && !equal(at(old, 'spec', 'selector'), selector)) errors.push(invalid('spec.selector', selector, 'field is immutable'))
  }
  return errors
}

function validateReplicas(spec: Obj, field = 'replicas'): FieldError[] {
  const value = spec[field]
  return typeof value === 'number' && value < 0 ? [invalid(`spec.${field}`, value, 'must be greater than or equal to 0')] : []
}

function alwaysRestarts(spec: Obj): FieldError[] {
  const policy = at(spec, 'template', 'spec', 'restartPolicy')
  return policy === undefined || policy === 'Always' ? [] : [unsupported('spec.template.spec.restartPolicy', policy, ['Always'])]
}

function intOrPercent(value: unknown, path: string): FieldError[] {
  if (typeof value === 'string')
    return /^\d+%$/.test(value)
      ? []
      : [
          invalid(
            path,
            value,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
          ),
        ]
  return num(value) < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

export const deploymentStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'replicas', 1)
    fill(spec, 'strategy', {})
    const strategy = into(spec, 'strategy')
    fill(strategy, 'type', 'RollingUpdate')
    if (strategy['type'] === 'RollingUpdate') {
      const rolling = into(strategy, 'rollingUpdate')
      fill(rolling, 'maxUnavailable', '25%')
      fill(rolling, 'maxSurge', '25%')
    }
    fill(spec, 'revisionHistoryLimit', 10)
    fill(spec, 'progressDeadlineSeconds', 600)
    defaultTemplate(spec['template'])
  },
  validate: (o, old) => {
    const spec = obj(o['spec'])
    const errors = [
      ...validateSelector(spec, old),
      ...validateReplicas(spec),
      ...validateTemplate(spec['template'], 'spec.template'),
      ...alwaysRestarts(spec),
    ]
    const type = at(spec, 'strategy', 'type')
    const rolling = at(spec, 'strategy', 'rollingUpdate')
    if (type === 'Recreate' && isObj(rolling))
      errors.push(fieldForbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"))
    if (isObj(rolling)) {
      errors.push(
        ...intOrPercent(rolling['maxUnavailable'], 'spec.strategy.rollingUpdate.maxUnavailable'),
        ...intOrPercent(rolling['maxSurge'], 'spec.strategy.rollingUpdate.maxSurge'),
      )
      const zero = (v: unknown) => v === 0 || v === '0%'
      if (zero(rolling['maxUnavailable']) && zero(rolling['maxSurge']))
        errors.push(invalid('spec.strategy.rollingUpdate.maxUnavailable', rolling['maxUnavailable'], 'may not be 0 when `maxSurge` is 0'))
    }
    return errors
  },
}

export const replicaSetStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'replicas', 1)
    defaultTemplate(spec['template'])
    if (!isObj(spec['selector']) && isObj(at(spec, 'template', 'metadata', 'labels')))
      spec['selector'] = { matchLabels: strings(at(spec, 'template', 'metadata', 'labels')) }
  },
  prepareCreate: (o) => void (o['status'] = { replicas: 0 }),
  validate: (o, old) => {
    const spec = obj(o['spec'])
    return [
      ...validateSelector(spec, old),
      ...validateReplicas(spec),
      ...validateTemplate(spec['template'], 'spec.template'),
      ...alwaysRestarts(spec),
    ]
  },
}

export const replicationControllerStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'replicas', 1)
    defaultTemplate(spec['template'])
    const labels = strings(at(spec, 'template', 'metadata', 'labels'))
    if (!isObj(spec['selector'])) spec['selector'] = { ...labels }
    const meta = into(o, 'metadata')
    if (!isObj(meta['labels']) && Object.keys(labels).length > 0) meta['labels'] = { ...labels }
  },
  prepareCreate: (o) => void (o['status'] = { replicas: 0 }),
  validate: (o) => validateReplicas(obj(o['spec'])),
}

export const statefulSetStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'replicas', 1)
    fill(spec, 'podManagementPolicy', 'OrderedReady')
    fill(spec, 'revisionHistoryLimit', 10)
    const update = into(spec, 'updateStrategy')
    fill(update, 'type', 'RollingUpdate')
    if (update['type'] === 'RollingUpdate') fill(into(update, 'rollingUpdate'), 'partition', 0)
    const retention = into(spec, 'persistentVolumeClaimRetentionPolicy')
    fill(retention, 'whenDeleted', 'Retain')
    fill(retention, 'whenScaled', 'Retain')
    defaultTemplate(spec['template'])
  },
  prepareCreate: (o) => void (o['status'] = { replicas: 0, availableReplicas: 0 }),
  validate: (o, old) => {
    const spec = obj(o['spec'])
    const errors = [
      ...validateSelector(spec, old),
      ...validateReplicas(spec),
      ...validateTemplate(spec['template'], 'spec.template'),
      ...alwaysRestarts(spec),
    ]
    if (old && !equal(at(old, 'spec', 'serviceName'), spec['serviceName'])) {
      errors.push(
        fieldForbidden(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      )
    }
    return errors
  },
}

export const daemonSetStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'revisionHistoryLimit', 10)
    const update = into(spec, 'updateStrategy')
    fill(update, 'type', 'RollingUpdate')
    if (update['type'] === 'RollingUpdate') {
      const rolling = into(update, 'rollingUpdate')
      fill(rolling, 'maxUnavailable', 1)
      fill(rolling, 'maxSurge', 0)
    }
    defaultTemplate(spec['template'])
  },
  prepareCreate: (o) =>
    void (o['status'] = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }),
  validate: (o, old) => {
    const spec = obj(o['spec'])
    return [...validateSelector(spec, old), ...validateTemplate(spec['template'], 'spec.template'), ...alwaysRestarts(spec)]
  },
}

function defaultJobSpec(spec: Obj): void {
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1
  fill(spec, 'parallelism', 1)
  fill(spec, 'backoffLimit', 6)
  fill(spec, 'completionMode', 'NonIndexed')
  fill(spec, 'suspend', false)
  fill(spec, 'podReplacementPolicy', isObj(spec['podFailurePolicy']) ? 'Failed' : 'TerminatingOrFailed')
  defaultTemplate(spec['template'])
}

function validateJobSpec(spec: Obj, path: string): FieldError[] {
  const errors = validateTemplate(spec['template'], `${path}.template`)
  const policy = at(spec, 'template', 'spec', 'restartPolicy')
  if (policy === 'Always') errors.push(unsupported(`${path}.template.spec.restartPolicy`, 'Always', ['OnFailure', 'Never']))
  for (const field of ['parallelism', 'completions', 'backoffLimit', 'activeDeadlineSeconds', 'ttlSecondsAfterFinished']) {
    if (num(spec[field]) < 0) errors.push(invalid(`${path}.${field}`, spec[field], 'must be greater than or equal to 0'))
  }
  return errors
}

export const jobStrategy: Strategy = {
  defaults: (o) => defaultJobSpec(into(o, 'spec')),
  prepareCreate: (o) => {
    const spec = into(o, 'spec')
    if (spec['manualSelector'] === true) return
    const uid = str(at(o, 'metadata', 'uid'))
    const name = str(at(o, 'metadata', 'name'))
    const labels = into(into(into(spec, 'template'), 'metadata'), 'labels')
    Object.assign(labels, {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': name,
      'controller-uid': uid,
      'job-name': name,
    })
    spec['selector'] = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } }
  },
  validate: (o, old) => {
    const errors = validateJobSpec(obj(o['spec']), 'spec')
    if (old && !equal(at(old, 'spec', 'template'), at(o, 'spec', 'template')) && at(old, 'spec', 'suspend') !== true)
      errors.push(invalid('spec.template', at(o, 'spec', 'template'), 'field is immutable'))
    return errors
  },
}

export const cronJobStrategy: Strategy = {
  defaults: (o) => {
    const spec = into(o, 'spec')
    fill(spec, 'concurrencyPolicy', 'Allow')
    fill(spec, 'suspend', false)
    fill(spec, 'successfulJobsHistoryLimit', 3)
    fill(spec, 'failedJobsHistoryLimit', 1)
    const job = at(spec, 'jobTemplate', 'spec')
    if (isObj(job)) defaultTemplate(job['template'])
  },
  validate: (o) => {
    const spec = obj(o['spec'])
    const errors = validateJobSpec(obj(at(spec, 'jobTemplate', 'spec')), 'spec.jobTemplate.spec')
    const schedule = str(spec['schedule'])
    if (schedule === '') errors.push(required('spec.schedule'))
    else if (
      !/^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every .+)$/.test(schedule) &&
      schedule.trim().split(/\s+/).length !== 5
    ) {
      errors.push(
        invalid('spec.schedule', schedule, `expected exactly 5 fields, found ${schedule.trim().split(/\s+/).length}: [${schedule}]`),
      )
    }
    return errors
  },
}
