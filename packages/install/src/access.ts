/** Service accounts and what they may do: istiod, its gateways, and readers of the configuration (other clusters' control planes). */
import type { KubeObject } from '@lateen/api'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, revisionSuffix, text } from './options.ts'

const RBAC = 'rbac.authorization.k8s.io/v1'
const READ = ['get', 'list', 'watch']
/** All objects of a kind, as they change; one by its name is not asked for. */
const FOLLOW = ['list', 'watch']
/** Server-side apply: it patches, also what is not there yet. */
const APPLY = [...READ, 'create', 'patch']
const CONFIG_GROUPS = ['security.istio.io', 'networking.istio.io', 'telemetry.istio.io', 'extensions.istio.io']

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

const rule = (apiGroups: readonly string[], resources: readonly string[], verbs: readonly string[]): Rule => ({
  apiGroups,
  resources,
  verbs,
})

/** The accounts, first of all: everything else refers to them. */
export function serviceAccounts(installation: Installation): KubeObject[] {
  const { namespace } = installation
  const account = (name: string, component: string) =>
    kubeObject('v1', 'ServiceAccount', { name, namespace, labels: commonLabels(installation, component, { app: component }) })
  return [
    account('istio-reader-service-account', 'istio-reader'),
    account(`istiod${revisionSuffix(installation)}`, 'istiod'),
    ...(installation.gateway ? [account('istio-ingressgateway-service-account', 'istio-ingressgateway')] : []),
  ]
}

/** Roles and their bindings. */
export function roles(installation: Installation): KubeObject[] {
  const suffix = `${revisionSuffix(installation)}-${installation.namespace}`
  const istiod = `istiod${revisionSuffix(installation)}`
  return [
    ...clusterRole(installation, `istio-reader-clusterrole${suffix}`, 'istio-reader-service-account', readerRules()),
    ...clusterRole(installation, `istiod-clusterrole${suffix}`, istiod, [...istiodRules(), ...registrationRules(installation)]),
    ...clusterRole(installation, `istiod-gateway-controller${suffix}`, istiod, gatewayControllerRules()),
    ...namespacedRole(installation, istiod, istiod, istiodNamespaceRules()),
    ...(installation.gateway
      ? // It reads none itself: whoever may list Secrets is given those that its Gateways name.
        namespacedRole(installation, 'istio-ingressgateway-sds', 'istio-ingressgateway-service-account', [
          rule([''], ['secrets'], ['list']),
        ])
      : []),
  ]
}

/** No more than istiod asks for: `control-plane-rights.test.ts` compares. */
function istiodRules(): Rule[] {
  const gatewayApi = ['gateway.networking.k8s.io']
  return [
    // The CA in webhooks; the webhooks themselves are the installation's.
    rule(['admissionregistration.k8s.io'], ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'], [...FOLLOW, 'patch']),
    rule(CONFIG_GROUPS, ['*'], READ),
    // What was made of an object, or why it was refused, is said in its status.
    rule(CONFIG_GROUPS, ['*/status'], ['patch']),
    // Of workloads that register themselves.
    rule(['networking.istio.io'], ['workloadentries'], ['create', 'patch', 'delete']),
    rule(['apiextensions.k8s.io'], ['customresourcedefinitions'], FOLLOW),
    rule([''], ['pods'], READ),
    rule([''], ['nodes', 'services', 'namespaces', 'secrets', 'serviceaccounts'], FOLLOW),
    // The mesh's roots, in every namespace.
    rule([''], ['configmaps'], APPLY),
    rule([''], ['events'], ['get', 'create', 'patch']),
    rule(['discovery.k8s.io'], ['endpointslices'], FOLLOW),
    rule(['networking.k8s.io'], ['ingresses'], READ),
    rule(['networking.k8s.io'], ['ingressclasses'], FOLLOW),
    rule(['networking.k8s.io'], ['ingresses/status'], ['patch']),
    rule(gatewayApi, ['*'], READ),
    rule(gatewayApi, ['*/status'], ['patch']),
    rule(gatewayApi, ['gatewayclasses'], ['create']),
    rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
    rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
  ]
}

/** Where signers of the Kubernetes API sign for workloads or for istiod itself, istiod makes, approves and removes the requests. */
function registrationRules({ values }: Installation): Rule[] {
  const provider = text(values, 'pilot.env.PILOT_CERT_PROVIDER', text(values, 'global.pilotCertProvider', ''))
  if (!text(values, 'pilot.env.EXTERNAL_CA', '') && !provider.startsWith('k8s.io/')) return []
  return [
    rule(['certificates.k8s.io'], ['certificatesigningrequests'], [...READ, 'create', 'delete']),
    rule(['certificates.k8s.io'], ['certificatesigningrequests/approval', 'certificatesigningrequests/status'], ['update']),
    rule(['certificates.k8s.io'], ['signers'], ['approve']),
  ]
}

/** For gateways that are asked for by the Gateway API; what is made for one goes with it, by its owner. */
function gatewayControllerRules(): Rule[] {
  return [
    rule(['apps'], ['deployments'], APPLY),
    rule([''], ['services', 'serviceaccounts'], APPLY),
    rule(['autoscaling'], ['horizontalpodautoscalers'], APPLY),
    rule(['policy'], ['poddisruptionbudgets'], APPLY),
  ]
}

/** In its own namespace: its CA's key and the tokens of machines, how far a change of the root is, the leases of its leaders. */
function istiodNamespaceRules(): Rule[] {
  return [
    rule([''], ['secrets'], ['get', 'create', 'update', 'delete']),
    rule([''], ['configmaps'], ['update']),
    rule(['coordination.k8s.io'], ['leases'], ['get', 'create', 'update']),
  ]
}

/** For control planes of other clusters, of whichever version: what they read here, they decide. */
function readerRules(): Rule[] {
  return [
    rule(CONFIG_GROUPS, ['*'], READ),
    rule([''], ['endpoints', 'pods', 'services', 'nodes', 'replicationcontrollers', 'namespaces', 'secrets', 'configmaps'], READ),
    rule(['gateway.networking.k8s.io'], ['gateways'], READ),
    rule(['apiextensions.k8s.io'], ['customresourcedefinitions'], READ),
    rule(['discovery.k8s.io'], ['endpointslices'], READ),
    rule(['apps'], ['replicasets'], READ),
    rule(['multicluster.x-k8s.io'], ['serviceexports', 'serviceimports'], READ),
    rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
    rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
  ]
}

function clusterRole(installation: Installation, name: string, account: string, rules: readonly Rule[]): KubeObject[] {
  const metadata = { name, labels: commonLabels(installation, 'istiod', { app: 'istiod' }) }
  return [
    kubeObject(RBAC, 'ClusterRole', metadata, { rules }),
    kubeObject(RBAC, 'ClusterRoleBinding', metadata, binding('ClusterRole', name, account, installation.namespace)),
  ]
}

function namespacedRole(installation: Installation, name: string, account: string, rules: readonly Rule[]): KubeObject[] {
  const { namespace } = installation
  const metadata = { name, namespace, labels: commonLabels(installation, 'istiod', { app: 'istiod' }) }
  return [
    kubeObject(RBAC, 'Role', metadata, { rules }),
    kubeObject(RBAC, 'RoleBinding', metadata, binding('Role', name, account, namespace)),
  ]
}

function binding(kind: string, name: string, account: string, namespace: string): Record<string, unknown> {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
  }
}
