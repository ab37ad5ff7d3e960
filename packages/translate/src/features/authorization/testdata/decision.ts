/** What one rule of a policy that asks for every spelling makes of a request, by the filter that is generated for it. */
import { create } from '@bufbuild/protobuf'
import type { AuthorizationRule } from '@lateen/api'
import { RBAC_Action as Action, RBACSchema } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { decideRbac, type RbacSubject } from '@lateen/simulate'
import { rulePolicy } from '../rule.ts'

type Request = NonNullable<RbacSubject['request']>

const PLAIN: Request = { method: 'GET', scheme: 'http', authority: 'cart', path: '/', headers: new Map() }
const CALL: RbacSubject['call'] = {
  mode: 'inbound',
  destination: { address: '192.0.2.1', port: 80 },
  sourceAddress: '192.0.2.2',
  tls: 'plaintext',
  sni: '',
  alpn: [],
}

/** Whether a plain request with these parts passes. */
export function passesEverySpelling(rule: AuthorizationRule, action: 'ALLOW' | 'DENY', request: Partial<Request>): boolean {
  const context = { http: true, allows: action === 'ALLOW', everySpelling: true, namespace: 'shop', trustDomains: [] }
  const one = rulePolicy(rule, context)
  const rules = create(RBACSchema, { action: Action[action], policies: one ? { one } : {} })
  return decideRbac(rules, { call: CALL, request: { ...PLAIN, ...request }, notes: new Map() }).allowed === true
}
