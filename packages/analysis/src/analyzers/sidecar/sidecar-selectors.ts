/** Sidecars without a workload, several for one workload, and those that ambient mode makes useless. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { isNamespaceInAmbientMode, isPodInAmbientMode } from '../../indexes/in-mesh.ts'
import { podsWith } from '../../indexes/pods.ts'
import { selectorPath, selectorText } from '../../labels.ts'
import type { Resource } from '../../resource.ts'
import { groupBy, type World } from '../../world.ts'

type Sidecar = Resource<'Sidecar'>
type Pod = Resource<'Pod'>

export const sidecarSelectors: Analyzer = {
  name: 'sidecar.SelectorAnalyzer',
  description: 'Sidecars that select no pod or the same pod as others, or that have no effect',
  inputs: ['Sidecar', 'Pod', 'Namespace'],
  messages: [
    'ReferencedResourceNotFound',
    'IneffectivePolicy',
    'ConflictingSidecarWorkloadSelectors',
    'MultipleSidecarsWithoutWorkloadSelectors',
  ],
  analyze(world, report) {
    const selecting = world.of('Sidecar').filter((sidecar) => Object.keys(labelsOf(sidecar)).length > 0)
    checkSelecting(world, selecting, report)
    const wide = world.of('Sidecar').filter((sidecar) => Object.keys(labelsOf(sidecar)).length === 0)
    checkNamespaceWide(world, wide, report)
  },
}

const labelsOf = ({ spec }: Sidecar) => spec.workloadSelector?.labels ?? {}
const namesOf = (sidecars: readonly Sidecar[]): string[] => sidecars.map(({ name }) => name).sort()

function checkSelecting(world: World, sidecars: readonly Sidecar[], report: Report): void {
  const byPod = new Map<Pod, Sidecar[]>()
  for (const sidecar of sidecars) {
    const pods = podsWith(world, labelsOf(sidecar), sidecar.namespace)
    for (const pod of pods) byPod.set(pod, [...(byPod.get(pod) ?? []), sidecar])
    if (pods.length > 0) continue
    const args = { reftype: 'selector', refval: selectorText(labelsOf(sidecar)) }
    report('ReferencedResourceNotFound', sidecar, args, selectorPath('spec.workloadSelector.labels', labelsOf(sidecar)))
  }
  for (const [pod, selecting] of byPod) {
    const isAmbient = isPodInAmbientMode(pod)
    if (selecting.length === 1 && !isAmbient) continue
    for (const sidecar of selecting) {
      if (isAmbient) report('IneffectivePolicy', sidecar, { reason: 'the selected workload is in ambient mode, which has no sidecars' })
      else {
        const args = { conflictingSidecars: namesOf(selecting), namespace: pod.namespace, workloadPod: pod.name }
        report('ConflictingSidecarWorkloadSelectors', sidecar, args, 'metadata.name')
      }
    }
  }
}

function checkNamespaceWide(world: World, sidecars: readonly Sidecar[], report: Report): void {
  for (const [name, group] of groupBy(sidecars, ({ namespace }) => namespace)) {
    const namespace = world.find('Namespace', '', name)
    if (namespace && isNamespaceInAmbientMode(namespace)) {
      for (const sidecar of group)
        report('IneffectivePolicy', sidecar, { reason: 'the namespace is in ambient mode, which has no sidecars' })
    } else if (group.length > 1) {
      const args = { conflictingSidecars: namesOf(group), namespace: name }
      for (const sidecar of group) report('MultipleSidecarsWithoutWorkloadSelectors', sidecar, args)
    }
  }
}
