/** Annotations of alpha features. Not run unless asked for: injection itself sets several. */
import type { Analyzer, Report } from '../../analyzer.ts'
import type { Resource } from '../../resource.ts'
import { ANNOTATED_KINDS, annotationPath, isIstios } from './annotations.ts'
import { ANNOTATIONS } from './definitions.ts'

export const alphaAnnotations: Analyzer = {
  name: 'annotations.AlphaAnalyzer',
  description: 'Annotations that belong to alpha features',
  inputs: ANNOTATED_KINDS,
  messages: ['AlphaAnnotation'],
  analyze(world, report) {
    for (const kind of ['Namespace', 'Service', 'Deployment'] as const) for (const resource of world.of(kind)) check(resource, report, NONE)
    for (const pod of world.of('Pod')) check(pod, report, isWithoutInit(pod) ? SET_WITH_CNI : NONE)
  },
}

const NONE: ReadonlySet<string> = new Set()
/** Set by injection on pods whose traffic a CNI plugin captures. */
const SET_WITH_CNI: ReadonlySet<string> = new Set([
  'sidecar.istio.io/interceptionMode',
  'traffic.sidecar.istio.io/includeInboundPorts',
  'traffic.sidecar.istio.io/excludeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges',
])

const isWithoutInit = ({ spec }: Resource<'Pod'>): boolean => !spec.initContainers.some(({ name }) => name === 'istio-init')

function check(resource: Resource, report: Report, ignored: ReadonlySet<string>): void {
  for (const annotation of Object.keys(resource.annotations)) {
    if (!isIstios(annotation) || annotation === 'sidecar.istio.io/status' || ignored.has(annotation)) continue
    const definition = Object.hasOwn(ANNOTATIONS, annotation) ? ANNOTATIONS[annotation] : undefined
    if (definition?.status === 'Alpha') report('AlphaAnnotation', resource, { annotation }, annotationPath(annotation))
  }
}
