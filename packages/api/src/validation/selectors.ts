/** Checks of what says which workloads or objects a policy is for. */
import type { At } from '../diagnostics/at.ts'
import type { PolicyTargetReference } from '../messages/target-reference.ts'
import type { NetworkingWorkloadSelector, WorkloadSelector } from '../messages/workload-selector.ts'

/** A policy's `selector`. */
export function checkSelector(selector: WorkloadSelector | undefined, at: At): void {
  if (!selector) return
  checkSelectorLabels(selector.matchLabels, at.in('matchLabels'))
  if (Object.keys(selector.matchLabels ?? {}).length === 0) at.say('SelectorWithoutLabels')
}

/** The networking API's `workloadSelector`; answers whether its labels are usable. */
export function checkNetworkingSelector(selector: NetworkingWorkloadSelector | undefined, at: At): boolean {
  if (!selector) return true
  const usable = checkSelectorLabels(selector.labels, at.in('labels'))
  if (Object.keys(selector.labels ?? {}).length === 0) at.say('SelectorWithoutLabels')
  return usable
}

function checkSelectorLabels(labels: Readonly<Record<string, string>> | undefined, at: At): boolean {
  let usable = true
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (key === '') at.say('SelectorEmptyKey')
    else if (key.includes('*') || value.includes('*')) at.say('SelectorWildcard', { label: `${key}=${value}` })
    else continue
    usable = false
  }
  return usable
}

interface Attached {
  readonly selector?: WorkloadSelector
  readonly targetRef?: PolicyTargetReference
  readonly targetRefs?: readonly PolicyTargetReference[]
}

/** `selector`, `targetRef` and `targetRefs` of one policy. */
export function checkAttachment(policy: Attached, at: At): void {
  const ways = [policy.selector, policy.targetRef, policy.targetRefs?.length ? policy.targetRefs : undefined]
  if (ways.filter((way) => way !== undefined).length > 1) at.say('OneOfSelectors')
  checkSelector(policy.selector, at.in('selector'))
  if (policy.targetRef) checkTargetReference(policy.targetRef, at.in('targetRef'))
  at.in('targetRefs').each(policy.targetRefs, checkTargetReference)
}

const TARGETS: readonly (readonly [group: string, kind: string])[] = [
  ['', 'Service'],
  ['core', 'Service'],
  ['networking.istio.io', 'ServiceEntry'],
  ['gateway.networking.k8s.io', 'Gateway'],
  ['gateway.networking.k8s.io', 'GatewayClass'],
]

export function checkTargetReference(target: PolicyTargetReference, at: At): void {
  const { group = '', kind, name, namespace } = target
  if (!name) at.in('name').say('TargetRefName')
  if (namespace) at.in('namespace').say('TargetRefNamespace')
  if (!TARGETS.some(([g, k]) => g === group && k === kind)) at.say('TargetRefKind', { group, kind: kind ?? '' })
}
