/** Service accounts and what they may do: istiod, its gateways, and readers of the configuration (other clusters' control planes). */
import type { KubeObject } from '@lateen/api'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, revisionSuffix, text } from './options.ts'

const RBAC = 'rbac.authorization.k8s.io/v1'
const READ = ['get', 'list', 'watch']
const WRITE = [...READ, 'create', 'update', 'patch', 'delete']
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
      ? namespacedRole(installation, 'istio-ingressgateway-sds', 'istio-ingressgateway-service-account', [rule([''], ['secrets'], READ)])
      : []),
  ]
}

function istiodRules(): Rule[] {
  const status = ['update', 'patch', 'get']
  return [
    rule(
      ['admissionregistration.k8s.io'],
      ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
      [...READ, 'update', 'patch'],
    ),
    rule(CONFIG_GROUPS, ['*'], READ),
    // What was made of an object, or why it was refused, is said in its status.
    rule(CONFIG_GROUPS, ['*/status'], status),
    rule(['networking.istio.io'], ['workloadentries'], WRITE),
    rule(['apiextensions.k8s.io'], ['customresourcedefinitions'], READ),
    rule([''], ['pods', 'nodes', 'services', 'namespaces', 'endpoints', 'secrets', 'serviceaccounts'], READ),
    rule([''], ['services/status'], status),
    rule([''], ['configmaps'], [...READ, 'create', 'update', 'patch']),
    rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
    rule(['discovery.k8s.io'], ['endpointslices'], READ),
    rule(['networking.k8s.io'], ['ingresses', 'ingressclasses'], READ),
    rule(['networking.k8s.io'], ['ingresses/status'], status),
    rule(['gateway.networking.k8s.io', 'gateway.networking.x-k8s.io', 'inference.networking.k8s.io'], ['*'], READ),
    rule(['gateway.networking.k8s.io', 'gateway.networking.x-k8s.io', 'inference.networking.k8s.io'], ['*/status'], status),
    rule(['gateway.networking.k8s.io'], ['gatewayclasses'], WRITE),
    rule(['multicluster.x-k8s.io'], ['serviceexports'], [...READ, 'create', 'delete']),
    rule(['multicluster.x-k8s.io'], ['serviceimports'], READ),
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

/** For gateways that are asked for by the Gateway API. */
function gatewayControllerRules(): Rule[] {
  return [
    rule(['apps'], ['deployments'], WRITE),
    rule([''], ['services', 'serviceaccounts'], WRITE),
    rule(['autoscaling'], ['horizontalpodautoscalers'], WRITE),
    rule(['policy'], ['poddisruptionbudgets'], WRITE),
  ]
}

/** In its own namespace: its CA's key, the leases of its leaders. */
function istiodNamespaceRules(): Rule[] {
  return [
    rule([''], ['secrets'], [...READ, 'create', 'update', 'patch', 'delete']),
    rule([''], ['configmaps'], ['delete']),
    rule(['coordination.k8s.io'], ['leases'], ['get', 'list', 'watch', 'create', 'update', 'patch']),
  ]
}

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
