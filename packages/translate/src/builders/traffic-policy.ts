/** Traffic policies of a DestinationRule, its subsets and its ports, laid over each other. */
import type { TrafficPolicy } from '@lateen/api'
import type { EffectiveRule } from '@lateen/model'

/**
 * What holds for a port: the subset's policy over the rule's, field by field. On either side settings for the port stand in place
 * of the others as a whole, and inherit nothing (Istio's reference, PortTrafficPolicy): those of a subset speak over all that the
 * rule says, but for what ports cannot have.
 */
export function mergePolicies(rule: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): TrafficPolicy {
  const base = ofPort(rule, port)
  if (!subset) return base
  if (!portSettings(subset, port)) return { ...base, ...defined(subset) }
  const { tunnel, proxyProtocol, retryBudget } = base
  return { ...defined({ tunnel, proxyProtocol, retryBudget }), ...ofPort(subset, port) }
}

const portSettings = (policy: TrafficPolicy, port: number) => policy.portLevelSettings?.find((entry) => entry.port?.number === port)

function ofPort(policy: TrafficPolicy | undefined, port: number): TrafficPolicy {
  const settings = policy && portSettings(policy, port)
  if (!settings) return policy ?? {}
  const { port: _, ...replaced } = settings
  return replaced
}

/** What a rule says for a port of a subset; the whole host when the subset's name is empty or unknown. */
export function policyOf(rule: EffectiveRule | undefined, subset: string, port: number): TrafficPolicy {
  return mergePolicies(rule?.trafficPolicy, rule?.subsets.find((candidate) => candidate.name === subset)?.trafficPolicy, port)
}

/** The tunnel to a destination: the subset's or the rule's; settings of ports have none and do not take it away. */
export const tunnelOf = (rule: EffectiveRule | undefined, subset: string): TrafficPolicy['tunnel'] =>
  rule?.subsets.find((candidate) => candidate.name === subset)?.trafficPolicy?.tunnel ?? rule?.trafficPolicy?.tunnel

function defined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, field]) => field !== undefined)) as Partial<T>
}
