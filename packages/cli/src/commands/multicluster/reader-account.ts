/** The service account with which another cluster's control plane reads this cluster: what a mesh needs to see, and no more. */
import { type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'

export const READER_ACCOUNT = 'istio-reader-service-account'

const RBAC = 'rbac.authorization.k8s.io'
const CLUSTER_ROLE: ResourceType = { group: RBAC, version: 'v1', kind: 'ClusterRole', plural: 'clusterroles', namespaced: false }
const CLUSTER_ROLE_BINDING: ResourceType = {
  group: RBAC,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
}

const READ = ['get', 'list', 'watch']

/** In the order in which to make them. */
export function readerObjects(namespace: string): readonly (readonly [ResourceType, KubeObject])[] {
  const name = `istio-reader-clusterrole-${namespace}`
  return [
    [RESOURCE_TYPES.ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: READER_ACCOUNT, namespace } }],
    [CLUSTER_ROLE, { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name }, rules: RULES }],
    [
      CLUSTER_ROLE_BINDING,
      {
        apiVersion: `${RBAC}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', name: READER_ACCOUNT, namespace }],
      },
    ],
  ]
}

const RULES = [
  {
    apiGroups: ['security.istio.io', 'networking.istio.io', 'telemetry.istio.io', 'extensions.istio.io', 'gateway.networking.k8s.io'],
    resources: ['*'],
    verbs: READ,
  },
  {
    apiGroups: [''],
    resources: ['endpoints', 'pods', 'services', 'nodes', 'replicationcontrollers', 'namespaces', 'secrets'],
    verbs: READ,
  },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: READ },
  { apiGroups: ['apps'], resources: ['replicasets'], verbs: READ },
  { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: READ },
  { apiGroups: ['multicluster.x-k8s.io'], resources: ['serviceexports', 'serviceimports'], verbs: READ },
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
]
