/** What is said to a user about a configuration object: a value, never an exception. */

/** Names one object: kind with group where kinds clash, namespace (empty for cluster scope), name. */
export interface ObjectRef {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

export const SEVERITIES = ['Info', 'Warning', 'Error'] as const
export type Severity = (typeof SEVERITIES)[number]

export interface Diagnostic {
  /** A stable code; Istio's `ISTnnnn` where Istio has one. */
  readonly code: string
  readonly severity: Severity
  readonly object: ObjectRef
  /** Where in the object, in the form `spec.http[0].route[1].weight`; empty for the whole object. */
  readonly path: string
  /** One sentence: what was found, what is allowed, what to do. */
  readonly message: string
}

/** `VirtualService shop/cart`: how an object is named in every message. */
export function objectName(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace ? `${ref.namespace}/` : ''}${ref.name}`
}

/** `VirtualService shop/cart: spec.http[0].fault has neither delay nor abort; …` */
export function formatDiagnostic(d: Diagnostic): string {
  return `${objectName(d.object)}: ${d.path ? `${d.path}: ` : ''}${d.message}`
}
