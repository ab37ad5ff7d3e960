/** What of an object that was made for a Gateway counts, when it is compared or made again. */
import type { KubeObject } from '@lateen/api'

/** Written by Kubernetes' controllers, and by those who apply. */
const PASSING = ['deployment.kubernetes.io/revision', 'kubectl.kubernetes.io/last-applied-configuration']
/** Which pods a Deployment selects cannot be changed; before Istio 1.24 they were selected by this. */
const FORMER_NAME = 'istio.io/gateway-name'

/** All of it but status and bookkeeping, as one text to compare. */
export function traitsOf({ metadata, spec }: KubeObject): string {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([name]) => !PASSING.includes(name))
  return JSON.stringify([metadata.labels, annotations, metadata.ownerReferences, metadata.deletionTimestamp, spec])
}

/** A Deployment that an Istio before 1.24 made keeps its selector. */
export function keepSelector(wanted: KubeObject, present: KubeObject | undefined): KubeObject {
  const former = wanted.kind === 'Deployment' ? labelAt(present?.spec, ['selector', 'matchLabels']) : undefined
  if (former === undefined || !present) return wanted
  const spec = record(wanted.spec)
  const template = record(spec['template'])
  const metadata = record(template['metadata'])
  const labels = { ...record(metadata['labels']), [FORMER_NAME]: former }
  return {
    ...wanted,
    spec: {
      ...spec,
      selector: record(present.spec)['selector'],
      template: { ...template, metadata: { ...metadata, labels } },
    },
  }
}

function labelAt(value: unknown, path: readonly string[]): string | undefined {
  const label = [...path, FORMER_NAME].reduce<unknown>((at, key) => record(at)[key], value)
  return typeof label === 'string' && label !== '' ? label : undefined
}

const record = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
