/** AuthorizationPolicies that apply to nothing, or name namespaces that are not there. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { isPodInAmbientMode, isPodInMesh } from '../../indexes/in-mesh.ts'
import { podsWith } from '../../indexes/pods.ts'
import type { Labels } from '../../kubernetes-views.ts'
import { selectorText } from '../../labels.ts'
import type { Resource } from '../../resource.ts'
import type { World } from '../../world.ts'

type Policy = Resource<'AuthorizationPolicy'>

export const authorizationPolicies: Analyzer = {
  name: 'auth.AuthorizationPoliciesAnalyzer',
  description: 'AuthorizationPolicies that apply to no workload, or name namespaces that do not exist',
  inputs: ['MeshConfig', 'AuthorizationPolicy', 'Namespace', 'Pod'],
  messages: ['NoMatchingWorkloadsFound', 'ReferencedResourceNotFound'],
  analyze(world, report) {
    for (const policy of world.of('AuthorizationPolicy')) {
      checkWorkloads(world, policy, report)
      checkNamespaces(world, policy, report)
    }
  },
}

function checkWorkloads(world: World, policy: Policy, report: Report): void {
  const isMeshWide = policy.namespace === world.settings.meshConfig.rootNamespace
  const { selector } = policy.spec
  if (!selector && isMeshWide) return
  const labels = selector?.matchLabels ?? {}
  if (!hasWorkload(world, labels, isMeshWide ? undefined : policy.namespace)) {
    report('NoMatchingWorkloadsFound', policy, { labels: selectorText(labels) })
  }
}

function hasWorkload(world: World, labels: Labels, namespace: string | undefined): boolean {
  return podsWith(world, labels, namespace).some((pod) => isPodInMesh(world, pod) || isPodInAmbientMode(pod))
}

function checkNamespaces(world: World, policy: Policy, report: Report): void {
  for (const [i, rule] of (policy.spec.rules ?? []).entries()) {
    for (const [j, { source }] of (rule.from ?? []).entries()) {
      const said = new Set<string>()
      for (const field of ['namespaces', 'notNamespaces'] as const) {
        for (const [k, name] of (source?.[field] ?? []).entries()) {
          if (said.has(name) || world.of('Namespace').some((namespace) => fits(namespace.name, name))) continue
          said.add(name)
          const path = `spec.rules[${i}].from[${j}].source.${field}[${k}]`
          report('ReferencedResourceNotFound', policy, { reftype: 'namespace', refval: name }, path)
        }
      }
    }
  }
}

/** `*` alone, at the beginning or at the end stands for anything. */
function fits(name: string, pattern: string): boolean {
  if (pattern === '*') return true
  if (pattern.startsWith('*')) return name.endsWith(pattern.slice(1))
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1))
  return name.toLowerCase() === pattern.toLowerCase()
}
