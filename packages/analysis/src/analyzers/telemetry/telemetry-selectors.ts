/** Telemetries that select no pod, or the same pod as others. */
import type { Analyzer } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'
import { selectorPath, selectorText } from '../../labels.ts'
import type { Resource } from '../../resource.ts'

type Telemetry = Resource<'Telemetry'>

export const telemetrySelectors: Analyzer = {
  name: 'telemetry.SelectorAnalyzer',
  description: 'Telemetries that select no pod, or the same pod as others',
  inputs: ['Telemetry', 'Pod'],
  messages: ['ReferencedResourceNotFound', 'ConflictingTelemetryWorkloadSelectors'],
  analyze(world, report) {
    const byPod = new Map<Resource<'Pod'>, Telemetry[]>()
    for (const telemetry of world.of('Telemetry')) {
      const labels = telemetry.spec.selector?.matchLabels ?? {}
      if (Object.keys(labels).length === 0) continue
      const pods = podsWith(world, labels, telemetry.namespace)
      for (const pod of pods) byPod.set(pod, [...(byPod.get(pod) ?? []), telemetry])
      if (pods.length > 0) continue
      const args = { reftype: 'selector', refval: selectorText(labels) }
      report('ReferencedResourceNotFound', telemetry, args, selectorPath('spec.selector.matchLabels', labels))
    }
    for (const [pod, telemetries] of byPod) {
      if (telemetries.length < 2) continue
      const conflictingTelemetries = telemetries.map(({ name }) => name).sort()
      for (const telemetry of telemetries) {
        const args = { conflictingTelemetries, namespace: pod.namespace, workloadPod: pod.name }
        report('ConflictingTelemetryWorkloadSelectors', telemetry, args, 'metadata.name')
      }
    }
  },
}
