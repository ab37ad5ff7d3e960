/** AuthorizationPolicy: who may call a workload, and with what. */
import { atMostOne, targetRef, targetRefs } from '../../messages/target-reference.ts'
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import { list, message, of, oneOf, required, type Static, text } from '../../schema/define.ts'
import { AGE, column, defineKind, versions } from '../kind.ts'

export const Source = message(
  'Source',
  {
    principals: list(text(), 'Peer identities, trust-domain/ns/namespace/sa/account, with * at either end; needs mutual TLS.'),
    notPrincipals: list(text(), 'Peer identities that do not match.'),
    requestPrincipals: list(text(), 'Token identities, issuer/subject, with * at either end.'),
    notRequestPrincipals: list(text(), 'Token identities that do not match.'),
    namespaces: list(text(), 'Namespaces of the peer, with * at either end; needs mutual TLS.'),
    notNamespaces: list(text(), 'Namespaces that do not match.'),
    ipBlocks: list(text(), 'Addresses (IP or CIDR) that the connection comes from.'),
    notIpBlocks: list(text(), 'Addresses that do not match.'),
    remoteIpBlocks: list(text(), 'Addresses of the original client, by X-Forwarded-For or the PROXY protocol.'),
    notRemoteIpBlocks: list(text(), 'Client addresses that do not match.'),
    serviceAccounts: list(
      text(undefined, { maxLength: 320 }),
      'Service accounts of the peer, account or namespace/account; needs mutual TLS.',
      { maxItems: 16 },
    ),
    notServiceAccounts: list(text(undefined, { maxLength: 320 }), 'Service accounts that do not match.', { maxItems: 16 }),
    trustDomains: list(text(), 'Trust domains of the peer; needs mutual TLS.'),
    notTrustDomains: list(text(), 'Trust domains that do not match.'),
  },
  {
    rules: [
      {
        rule: '(has(self.serviceAccounts) || has(self.notServiceAccounts)) ? (!has(self.principals) && !has(self.notPrincipals) && !has(self.namespaces) && !has(self.notNamespaces)) : true',
        message: 'service accounts cannot be combined with principals or namespaces',
      },
    ],
  },
)
export interface Source extends Static<typeof Source> {}

export const Operation = message('Operation', {
  hosts: list(text(), 'Hosts of the request, with * at either end; compared without regard to case.'),
  notHosts: list(text(), 'Hosts that do not match.'),
  ports: list(text(), 'Ports of the connection.'),
  notPorts: list(text(), 'Ports that do not match.'),
  methods: list(text(), 'HTTP methods, with * at either end.'),
  notMethods: list(text(), 'HTTP methods that do not match.'),
  paths: list(text(), 'Paths, with * at either end, or with {*} for one segment and {**} for several.'),
  notPaths: list(text(), 'Paths that do not match.'),
})
export interface Operation extends Static<typeof Operation> {}

export const AuthorizationCondition = message('Condition', {
  key: required(text('What is looked at, e.g. request.headers[x-user], source.ip or request.auth.claims[iss].')),
  values: list(text(), 'Values of which one must match, with * at either end.'),
  notValues: list(text(), 'Values of which none may match.'),
})
export interface AuthorizationCondition extends Static<typeof AuthorizationCondition> {}

export const RuleFrom = message('RuleFrom', { source: of(Source, 'Who calls; all set fields must match.') })
export interface RuleFrom extends Static<typeof RuleFrom> {}

export const RuleTo = message('RuleTo', { operation: of(Operation, 'What is asked; all set fields must match.') })
export interface RuleTo extends Static<typeof RuleTo> {}

export const AuthorizationRule = message('Rule', {
  from: list(of(RuleFrom), 'Sources of which one must match; any when unset.', { maxItems: 512 }),
  to: list(of(RuleTo), 'Operations of which one must match; any when unset.'),
  when: list(of(AuthorizationCondition), 'Further conditions, which must all hold.'),
})
export interface AuthorizationRule extends Static<typeof AuthorizationRule> {}

export const AuthorizationExtensionProvider = message('AuthorizationExtensionProvider', {
  name: text('Name of an extension provider of the mesh configuration.'),
})
export interface AuthorizationExtensionProvider extends Static<typeof AuthorizationExtensionProvider> {}

export const AuthorizationPolicySpec = message(
  'AuthorizationPolicy',
  {
    selector: of(WorkloadSelector, 'Workloads that this is for; all of the namespace when unset.'),
    targetRef: targetRef(),
    targetRefs: targetRefs(),
    rules: list(of(AuthorizationRule), 'Rules of which one must match; without rules nothing matches.', { maxItems: 512 }),
    action: oneOf(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'], 'What happens to a request that matches; ALLOW when unset.'),
    provider: of(AuthorizationExtensionProvider, 'Who decides; for CUSTOM.'),
  },
  { oneOfs: [['provider']], rules: [atMostOne('selector', 'targetRef', 'targetRefs')] },
)
export interface AuthorizationPolicySpec extends Static<typeof AuthorizationPolicySpec> {}

export const AuthorizationPolicyKind = defineKind({
  group: 'security.istio.io',
  kind: 'AuthorizationPolicy',
  plural: 'authorizationpolicies',
  shortNames: ['ap'],
  versions: versions('v1', 'v1beta1'),
  columns: [column('Action', '.spec.action', 'What happens to a request that matches.'), AGE],
  description: 'Who may call a workload, and with what.',
  spec: AuthorizationPolicySpec,
})
