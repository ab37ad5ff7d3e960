/** Injection into workloads, for `kube-inject`: the pod template of an object, or every object of a List. */

import { type InjectionRequest, type InjectionSettings, injectPod } from './inject-pod.ts'
import type { WorkloadOwner } from './pod/owner.ts'
import { isRecord } from './pod/pod.ts'
import { printedShape } from './pod/printed-shape.ts'
import { readPod } from './pod/read-pod.ts'

export interface ObjectInjection {
  /** The object as it should be applied; unchanged when nothing was injected. */
  readonly object: Readonly<Record<string, unknown>>
  /** What happened to each pod or pod template in it, in order; empty when it has none. */
  readonly results: readonly { readonly name: string; readonly injected: boolean; readonly reason: string }[]
  /** Why it cannot be injected; the object is then unchanged. */
  readonly problems: readonly string[]
}

export interface ObjectContext {
  readonly settings: InjectionSettings
  /** For objects that name none. */
  readonly namespace: string
  readonly namespaceAnnotations?: (namespace: string) => Readonly<Record<string, string>> | undefined
}

/** Workload kinds whose `spec.template` is a pod. */
const TEMPLATE_KINDS = new Set([
  'Deployment',
  'DaemonSet',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'DeploymentConfig',
  'Rollout',
])
const MAX_ITEMS = 10_000

/** The object with proxies in its pods; objects without pods come back as they are. */
export function injectObject(object: Readonly<Record<string, unknown>>, context: ObjectContext): ObjectInjection {
  const { kind } = object
  if (kind === 'List') return injectList(object, context)
  if (kind === 'Pod') return injectAt(object, [], context)
  if (kind === 'CronJob') return injectAt(object, ['spec', 'jobTemplate', 'spec', 'template'], context)
  if (typeof kind === 'string' && TEMPLATE_KINDS.has(kind)) return injectAt(object, ['spec', 'template'], context)
  return { object, results: [], problems: [] }
}

function injectList(list: Readonly<Record<string, unknown>>, context: ObjectContext): ObjectInjection {
  const items = Array.isArray(list.items) ? list.items : []
  if (items.length > MAX_ITEMS)
    return { object: list, results: [], problems: [`the List has ${items.length} items; at most ${MAX_ITEMS} are accepted`] }
  // A List inside a List is no Kubernetes object; it is passed through like everything else that is no workload.
  const injected = items.map((item) =>
    isRecord(item) && item.kind !== 'List' ? injectObject(item, context) : { object: item, results: [], problems: [] },
  )
  const problems = injected.flatMap((item) => item.problems)
  return problems.length > 0
    ? { object: list, results: [], problems }
    : {
        object: { ...list, metadata: list.metadata ?? {}, items: injected.map((item) => item.object) },
        results: injected.flatMap((item) => item.results),
        problems,
      }
}

function injectAt(object: Readonly<Record<string, unknown>>, path: readonly string[], context: ObjectContext): ObjectInjection {
  const metadata = isRecord(object.metadata) ? object.metadata : {}
  const title = `${String(object.kind)} ${String(metadata.name ?? metadata.generateName ?? '(without a name)')}`
  const template = path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), object)
  const read = readPod(template)
  const place = path.join('.')
  if ('problem' in read) return { object, results: [], problems: [`${title}: ${place === '' ? '' : `${place}: `}${read.problem}`] }
  const namespace = text(read.pod.metadata.namespace) || text(metadata.namespace) || context.namespace
  const owner = path.length > 0 ? ownerOf(object, metadata, namespace) : undefined
  const result = injectPod({
    pod: read.pod,
    namespace,
    settings: context.settings,
    ...(owner ? { owner } : {}),
    ...namespaceAnnotations(context, namespace),
  })
  if (result.outcome === 'refused') return { object, results: [], problems: result.problems.map((problem) => `${title}: ${problem}`) }
  const name = title
  if (result.outcome === 'skipped')
    return { object: printedShape(object), results: [{ name, injected: false, reason: result.reason }], problems: [] }
  return {
    object: printedShape(replaceAt(object, path, result.pod)),
    results: [{ name, injected: true, reason: result.reason }],
    problems: [],
  }
}

function namespaceAnnotations(context: ObjectContext, namespace: string): Pick<InjectionRequest, 'namespaceAnnotations'> {
  const annotations = context.namespaceAnnotations?.(namespace)
  return annotations ? { namespaceAnnotations: annotations } : {}
}

function ownerOf(object: Readonly<Record<string, unknown>>, metadata: Readonly<Record<string, unknown>>, namespace: string): WorkloadOwner {
  return { apiVersion: text(object.apiVersion), kind: text(object.kind), name: text(metadata.name), namespace }
}

function replaceAt(object: Readonly<Record<string, unknown>>, path: readonly string[], value: unknown): Readonly<Record<string, unknown>> {
  const [key, ...rest] = path
  if (key === undefined) return isRecord(value) ? value : object
  const child = object[key]
  return { ...object, [key]: rest.length === 0 ? value : replaceAt(isRecord(child) ? child : {}, rest, value) }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
