/** Policies that select the pods of a Gateway API gateway by labels: such pods obey `targetRefs` only. */
import type { Analyzer } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'

const KINDS = ['AuthorizationPolicy', 'RequestAuthentication', 'Telemetry', 'WasmPlugin'] as const
const GATEWAY_LABEL = 'gateway.networking.k8s.io/gateway-name'

export const policySelector: Analyzer = {
  name: 'k8sgateway.SelectorAnalyzer',
  description: 'Policies that select the pods of a Kubernetes Gateway by labels',
  inputs: [...KINDS, 'Pod'],
  messages: ['IneffectiveSelector'],
  analyze(world, report) {
    for (const kind of KINDS) {
      for (const policy of world.of(kind)) {
        const { selector, targetRef } = policy.spec
        if (!selector || targetRef) continue
        for (const pod of podsWith(world, selector.matchLabels ?? {}, policy.namespace)) {
          const gateway = pod.labels[GATEWAY_LABEL]
          if (gateway !== undefined) report('IneffectiveSelector', policy, { gateway }, 'spec.selector')
        }
      }
    }
  },
}
