/** Istio's annotations on Kubernetes objects: known ones, where they belong, with values that can be used. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { INJECT } from '../../indexes/in-mesh.ts'
import type { Resource } from '../../resource.ts'
import { ANNOTATIONS } from './definitions.ts'
import { problemOfValue } from './values.ts'

/** Kinds on which annotations are looked at. */
export const ANNOTATED_KINDS = ['Namespace', 'Service', 'Pod', 'Deployment'] as const

export const annotations: Analyzer = {
  name: 'annotations.K8sAnalyzer',
  description: "Istio's annotations on Kubernetes objects: unknown, misplaced, deprecated ones and values that cannot be used",
  inputs: ANNOTATED_KINDS,
  messages: ['UnknownAnnotation', 'MisplacedAnnotation', 'DeprecatedAnnotation', 'InvalidAnnotation'],
  analyze(world, report) {
    for (const kind of ANNOTATED_KINDS) for (const resource of world.of(kind)) check(resource, report)
  },
}

/** One annotation of Kubernetes is looked at because Istio's Ingress support reads it. */
export const isIstios = (annotation: string): boolean =>
  annotation === 'kubernetes.io/ingress.class' || (annotation.split('/', 1)[0] ?? '').endsWith('istio.io')

export const annotationPath = (annotation: string): string => `metadata.annotations[${JSON.stringify(annotation)}]`

function check(resource: Resource, report: Report): void {
  for (const [annotation, value] of Object.entries(resource.annotations)) {
    if (!isIstios(annotation)) continue
    const path = annotationPath(annotation)
    const definition = Object.hasOwn(ANNOTATIONS, annotation) ? ANNOTATIONS[annotation] : undefined
    if (!definition) {
      report('UnknownAnnotation', resource, { annotation }, path)
      continue
    }
    // Who has the label of that name as well keeps the annotation for older versions on purpose.
    if (definition.deprecated && !(annotation === INJECT && INJECT in resource.labels)) {
      report(
        'DeprecatedAnnotation',
        resource,
        { annotation, extra: annotation === INJECT ? ` in favor of the label "${INJECT}"` : '' },
        path,
      )
    }
    if (definition.on.includes('Any')) continue
    if (!definition.on.includes(resource.kind)) {
      report('MisplacedAnnotation', resource, { annotation, kind: definition.on.join(', ') }, path)
      continue
    }
    const problem = problemOfValue(annotation, value)
    if (problem !== undefined) report('InvalidAnnotation', resource, { annotation, problem }, path)
  }
}
