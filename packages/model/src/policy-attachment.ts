/** Which workloads a policy is for: by labels, by the Gateway that a workload is an instance of, or all of a namespace. */
import type { PolicyTargetReference } from '@lateen/api'
import { selects } from './workload.ts'

/** Where a policy is attached, as its object says. */
export interface Attachment {
  readonly namespace: string
  /** Undefined for every workload of the namespace. */
  readonly selector: Readonly<Record<string, string>> | undefined
  /** Objects named instead of labels; empty for policies with a selector. */
  readonly targets: readonly PolicyTargetReference[]
}

/** What of a workload policies look at. */
export interface PolicySubject {
  readonly type: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

/** On workloads that were made for a Gateway of the Gateway API: its name. */
const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name'
const GATEWAY_GROUP = 'gateway.networking.k8s.io'

/** The fields by which a policy of any kind says where it is attached. */
export interface AttachedSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly targetRef?: PolicyTargetReference
  readonly targetRefs?: readonly PolicyTargetReference[]
}

export function attachmentOf(namespace: string, spec: AttachedSpec): Attachment {
  const labels = spec.selector?.matchLabels
  return {
    namespace,
    selector: labels && Object.keys(labels).length > 0 ? labels : undefined,
    targets: spec.targetRefs?.length ? spec.targetRefs : spec.targetRef ? [spec.targetRef] : [],
  }
}

/**
 * Whether a policy holds for a workload of its namespace, or, for policies of the root namespace, of any.
 *
 * A policy with targets is for those alone; where it names what this workload is not, it does nothing. Waypoints never look at
 * selectors, since those speak of the workloads behind them.
 */
export function attaches(policy: Attachment, subject: PolicySubject, rootNamespace: string): boolean {
  if (policy.namespace !== subject.namespace && policy.namespace !== rootNamespace) return false
  if (policy.targets.length > 0) return policy.targets.some((target) => isTarget(target, policy, subject, rootNamespace))
  if (subject.type === 'waypoint') return false
  return !policy.selector || selects(policy.selector, subject.labels)
}

function isTarget(target: PolicyTargetReference, policy: Attachment, subject: PolicySubject, rootNamespace: string): boolean {
  if (target.group !== GATEWAY_GROUP) return false
  if (target.kind === 'GatewayClass') {
    return subject.type === 'waypoint' && policy.namespace === rootNamespace && target.name === 'istio-waypoint'
  }
  const gateway = subject.labels[GATEWAY_NAME]
  if (target.kind !== 'Gateway' || gateway === undefined || policy.namespace !== subject.namespace) return false
  return target.name === gateway && (!target.namespace || target.namespace === subject.namespace)
}
