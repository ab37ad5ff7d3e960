/** Pods of a world by the names that users give: `[<type>/]<name>[.<namespace>]`. */
import type { KubeObject } from '@lateen/api'
import { kindOfWord, parsePodReference } from '../cluster/pods.ts'
import { CommandError, EXIT } from '../shell/exit-codes.ts'
import { fieldsOf, textsOf } from './fields.ts'
import type { PodView } from './proxy-node.ts'
import type { World } from './world.ts'

const SUGGESTIONS = 8

/**
 * The pod that a user means: of that name, else of the workload or Service of that name.
 *
 * @throws CommandError that says what there is instead
 */
export function podFor(world: World, text: string): PodView {
  const { type, name, namespace } = parsePodReference(text, world.namespace)
  const kind = kindOfWord(type)
  const pods = world.pods.filter((pod) => pod.namespace === namespace)
  const found = kind ? ofOwner(world, pods, kind, name, namespace) : byName(pods, name)
  if (found) return found
  throw new CommandError(
    `there is no ${kind?.toLowerCase() ?? 'pod'} "${name}" with pods in namespace "${namespace}"; ${nearby(world, namespace, name)}`,
    {
      exitCode: EXIT.data,
    },
  )
}

/** A name without a type is of a pod, else of a workload whose pods are named after it. */
const byName = (pods: readonly PodView[], name: string): PodView | undefined =>
  pods.find((pod) => pod.name === name) ?? preferred(pods.filter((pod) => isNamedAfter(pod.name, name)))

const preferred = (pods: readonly PodView[]): PodView | undefined => pods.find(({ ready }) => ready) ?? pods[0]

/** `reviews-v1-6cf9d8b7c4-x2x9k` is named after `reviews-v1`. */
const isNamedAfter = (pod: string, workload: string): boolean =>
  pod === workload || pod.replace(/(-[a-z0-9]{6,10})?-[a-z0-9]{5}$|-\d+$/, '') === workload

function ofOwner(world: World, pods: readonly PodView[], kind: string, name: string, namespace: string): PodView | undefined {
  const object = world.objects.find((one) => one.kind === kind && one.metadata.name === name && one.metadata.namespace === namespace)
  const selector = object && selectorOf(object)
  const selected = selector ? pods.filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value)) : []
  // What is read of a cluster are no workloads: their pods say whose they are.
  const named = kind === 'Service' ? [] : pods.filter((pod) => isNamedAfter(pod.name, name))
  return preferred(selected) ?? preferred(named)
}

function selectorOf(object: KubeObject): Readonly<Record<string, string>> | undefined {
  const selector = fieldsOf(object.spec)['selector']
  const labels = object.kind === 'Service' ? textsOf(selector) : textsOf(fieldsOf(selector)['matchLabels'])
  return Object.keys(labels).length > 0 ? labels : undefined
}

function nearby(world: World, namespace: string, name: string): string {
  const near = [
    ...world.pods.filter((pod) => pod.namespace !== namespace && (pod.name === name || isNamedAfter(pod.name, name))),
    ...world.pods.filter((pod) => pod.namespace === namespace),
  ]
  if (near.length > 0)
    return `there are ${near
      .slice(0, SUGGESTIONS)
      .map((pod) => `${pod.name}.${pod.namespace}`)
      .join(', ')}`
  const namespaces = [...new Set(world.pods.map((pod) => pod.namespace))]
  return namespaces.length > 0 ? `there are pods in ${namespaces.slice(0, SUGGESTIONS).join(', ')}` : 'there are no pods at all'
}
