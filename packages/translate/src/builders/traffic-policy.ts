/** Traffic policies of a DestinationRule, its subsets and its ports, laid over each other. */
import type { TrafficPolicy } from '@lateen/api'
import type { EffectiveRule } from '@lateen/model'

/**
 * What holds for a port: the subset's policy over the rule's, field by field, and the settings for the port over both. Settings of
 * a port replace, as a whole, what stands above them: they inherit nothing (Istio's reference, PortTrafficPolicy).
 */
export function mergePolicies(rule: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): TrafficPolicy {
  const merged: TrafficPolicy = { ...rule, ...defined(subset) }
  const portSettings =
    subset?.portLevelSettings?.find((entry) => entry.port?.number === port) ??
    rule?.portLevelSettings?.find((entry) => entry.port?.number === port)
  if (!portSettings) return merged
  const { port: _, ...settings } = portSettings
  return { ...settings, ...(rule?.tunnel && { tunnel: rule.tunnel }), ...(rule?.proxyProtocol && { proxyProtocol: rule.proxyProtocol }) }
}

/** What a rule says for a port of a subset; the whole host when the subset's name is empty or unknown. */
export function policyOf(rule: EffectiveRule | undefined, subset: string, port: number): TrafficPolicy {
  return mergePolicies(rule?.trafficPolicy, rule?.subsets.find((candidate) => candidate.name === subset)?.trafficPolicy, port)
}

function defined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, field]) => field !== undefined)) as Partial<T>
}
