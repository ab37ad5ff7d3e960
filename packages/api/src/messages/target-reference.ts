/** Names an object (Gateway, Service, …) that a policy is attached to, as Gateway API policies do. */
import { type Field, list, message, of, required, type Static, text } from '../schema/define.ts'
import type { CelRule } from '../schema/node.ts'

export const PolicyTargetReference = message('PolicyTargetReference', {
  group: text('API group of the target; empty for the core group.', {
    maxLength: 253,
    pattern: '^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  }),
  kind: required(
    text('Kind of the target: Gateway, GatewayClass, Service or ServiceEntry.', {
      minLength: 1,
      maxLength: 63,
      pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$',
    }),
  ),
  name: required(text('Name of the target.', { minLength: 1, maxLength: 253 })),
  namespace: text('Must be left out: a target is always in the namespace of the policy.', {
    rules: [{ rule: 'self.size() == 0', message: 'a target in another namespace is not supported' }],
  }),
})
export interface PolicyTargetReference extends Static<typeof PolicyTargetReference> {}

const SUPPORTED: CelRule = {
  rule: "[['core', 'Service'], ['', 'Service'], ['networking.istio.io', 'ServiceEntry'], ['gateway.networking.k8s.io', 'Gateway'], ['gateway.networking.k8s.io', 'GatewayClass']].exists(t, t[0] == (has(self.group) ? self.group : '') && t[1] == self.kind)",
  message: 'a target is a Service, ServiceEntry, Gateway or GatewayClass, with its API group',
}

/** The `targetRefs` field. */
export function targetRefs(): Field<readonly PolicyTargetReference[]> {
  return list(
    of(PolicyTargetReference, undefined, { rules: [SUPPORTED] }),
    'Objects that the policy is attached to; not together with a selector.',
    {
      maxItems: 16,
    },
  )
}

/** The older `targetRef` field, for one target. */
export function targetRef(): Field<PolicyTargetReference> {
  return of(PolicyTargetReference, 'One object that the policy is attached to; `targetRefs` is the newer form.')
}

/** At most one of the given fields, as an API server checks it. */
export function atMostOne(...fields: string[]): CelRule {
  const counts = fields.map((field) => `(has(self.${field}) ? 1 : 0)`)
  return { rule: `${counts.join(' + ')} <= 1`, message: `at most one of ${fields.join(', ')} may be set` }
}
