/** Namespaces that say nothing or too much about injection, and pods that lack the proxy that their namespace asks for. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { DATAPLANE_MODE, INJECT, INJECTION_LABEL, PROXY_CONTAINER, REVISION_LABEL } from '../../indexes/in-mesh.ts'
import type { Resource } from '../../resource.ts'
import type { World } from '../../world.ts'
import { injectionValues } from './injection-values.ts'

const CONTROL_PLANE_NAMESPACE = 'istio-system'

export const injection: Analyzer = {
  name: 'injection.Analyzer',
  description: 'Namespaces and pods that injection does not treat as meant',
  inputs: ['Namespace', 'Pod', 'ConfigMap'],
  messages: ['NamespaceMultipleInjectionLabels', 'NamespaceInjectionEnabledByDefault', 'NamespaceNotInjected', 'PodMissingProxy'],
  analyze(world, report) {
    const injected = new Set(world.of('Namespace').flatMap((namespace) => (check(world, namespace, report) ? [namespace.name] : [])))
    for (const pod of world.of('Pod')) {
      if (!injected.has(pod.namespace) || isExempt(pod)) continue
      report('PodMissingProxy', pod, { podName: `${pod.namespace}/${pod.name}` })
    }
  },
}

/** Answers whether the pods of the namespace are to have a proxy. */
function check(world: World, namespace: Resource<'Namespace'>, report: Report): boolean {
  const { name, labels } = namespace
  if (name === CONTROL_PLANE_NAMESPACE) return false
  const asked = labels[INJECTION_LABEL]
  const asking = askingLabels(namespace)
  if (asking.length > 1) report('NamespaceMultipleInjectionLabels', namespace, { labels: asking }, 'metadata.labels')
  if (labels[DATAPLANE_MODE] === 'ambient') return false
  if (!asked && !(REVISION_LABEL in labels)) {
    if (isOnByDefault(world)) report('NamespaceInjectionEnabledByDefault', namespace, {})
    else report('NamespaceNotInjected', namespace, { namespace: name, namespace2: name }, 'metadata.name')
    return false
  }
  return asked === 'enabled'
}

/** Labels that ask for a data plane. Beside a label that forbids injection, others ask in vain and do no harm. */
function askingLabels({ labels }: Resource<'Namespace'>): string[] {
  const asked = labels[INJECTION_LABEL]
  const others = asked === undefined || asked === 'enabled' ? [REVISION_LABEL, DATAPLANE_MODE].filter((label) => label in labels) : []
  return [...(asked === undefined ? [] : [INJECTION_LABEL]), ...others].map((label) => `${label}=${labels[label]}`)
}

function isOnByDefault(world: World): boolean {
  const injector = world.of('ConfigMap').find(({ name }) => name === 'istio-sidecar-injector')
  return injector !== undefined && injectionValues(injector).enableNamespacesByDefault
}

function isExempt({ labels, annotations, spec }: Resource<'Pod'>): boolean {
  if ((labels[INJECT] ?? annotations[INJECT] ?? '').toLowerCase() === 'false') return true
  return (
    spec.hostNetwork || [...spec.containers, ...spec.initContainers].some(({ name, image }) => name === PROXY_CONTAINER && image !== '')
  )
}
