/** Short constructors of Kubernetes objects. */
import type { KubeObject } from '@lateen/api'
import type { Installation } from './options.ts'

interface Meta {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** An object with its fields beside metadata (`spec`, `data`, `rules`, …). */
export function kubeObject(apiVersion: string, kind: string, metadata: Meta, fields: Readonly<Record<string, unknown>> = {}): KubeObject {
  return { apiVersion, kind, metadata, ...fields }
}

/** Labels that every object of an installation has, and by which it can be found and removed. */
export function commonLabels(
  installation: Installation,
  component: string,
  labels: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    ...labels,
    'app.kubernetes.io/instance': 'istio',
    'app.kubernetes.io/managed-by': 'lateen',
    'app.kubernetes.io/name': component,
    'app.kubernetes.io/part-of': 'istio',
    'app.kubernetes.io/version': installation.tag,
    'istio.io/rev': installation.revision,
    release: 'istio',
  }
}
