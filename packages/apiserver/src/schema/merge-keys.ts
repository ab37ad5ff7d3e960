/**
 * How lists and objects of built-in kinds are merged, which the declarations of the fields do not say.
 *
 * One line a field: `definition field kind keys patch`. `map k1,k2` and `set` are server-side apply's list types; `atomic` an
 * object with one owner. `patch=k`: strategic merge patch merges by `k` (`patch=` alone: a list of scalars); `retain` drops
 * the fields not named (volumes change their source so).
 */
const TABLE = `
meta.v1.ObjectMeta ownerReferences map uid patch=uid
meta.v1.ObjectMeta finalizers set - patch=
meta.v1.LabelSelector . atomic
core.v1.PodSpec volumes map name patch=name retain
core.v1.PodSpec containers map name patch=name
core.v1.PodSpec initContainers map name patch=name
core.v1.PodSpec ephemeralContainers map name patch=name
core.v1.PodSpec imagePullSecrets map name patch=name
core.v1.PodSpec hostAliases map ip patch=ip
core.v1.PodSpec topologySpreadConstraints map topologyKey,whenUnsatisfiable patch=topologyKey
core.v1.PodSpec schedulingGates map name patch=name
core.v1.PodSpec resourceClaims map name patch=name retain
core.v1.PodSpec nodeSelector atomic
core.v1.PodStatus conditions map type patch=type
core.v1.PodStatus podIPs map ip patch=ip
core.v1.PodStatus hostIPs - - patch=ip
core.v1.PodStatus resourceClaimStatuses map name patch=name retain
core.v1.Container ports map containerPort,protocol patch=containerPort
core.v1.Container env map name patch=name
core.v1.Container volumeMounts map mountPath patch=mountPath
core.v1.Container volumeDevices map devicePath patch=devicePath
core.v1.EphemeralContainer ports map containerPort,protocol patch=containerPort
core.v1.EphemeralContainer env map name patch=name
core.v1.EphemeralContainer volumeMounts map mountPath patch=mountPath
core.v1.EphemeralContainer volumeDevices map devicePath patch=devicePath
core.v1.ContainerStatus volumeMounts map mountPath patch=mountPath
core.v1.ResourceRequirements claims map name
core.v1.ObjectReference . atomic
core.v1.LocalObjectReference . atomic
core.v1.TypedLocalObjectReference . atomic
core.v1.SecretReference . atomic
core.v1.SecretKeySelector . atomic
core.v1.ConfigMapKeySelector . atomic
core.v1.ObjectFieldSelector . atomic
core.v1.ResourceFieldSelector . atomic
core.v1.NodeSelector . atomic
core.v1.NodeSelectorTerm . atomic
core.v1.TopologySelectorTerm . atomic
core.v1.EndpointAddress . atomic
core.v1.EndpointPort . atomic
core.v1.ServiceSpec ports map port,protocol patch=port
core.v1.ServiceSpec selector atomic
core.v1.ServiceStatus conditions map type patch=type
core.v1.ReplicationControllerSpec selector atomic
core.v1.ReplicationControllerStatus conditions map type patch=type
core.v1.ServiceAccount secrets map name patch=name
core.v1.NamespaceStatus conditions map type patch=type
core.v1.NodeSpec podCIDRs set - patch=
core.v1.NodeStatus conditions map type patch=type
core.v1.NodeStatus addresses map type patch=type
core.v1.PersistentVolumeClaimStatus conditions map type patch=type
core.v1.ResourceQuotaSpec scopeSelector atomic
core.v1.ScopeSelector . atomic
apps.v1.DeploymentSpec strategy retain
apps.v1.DeploymentStatus conditions map type patch=type
apps.v1.ReplicaSetStatus conditions map type patch=type
apps.v1.StatefulSetStatus conditions map type patch=type
apps.v1.DaemonSetStatus conditions map type patch=type
batch.v1.JobStatus conditions - - patch=type
autoscaling.v2.HorizontalPodAutoscalerStatus conditions map type patch=type
autoscaling.v1.CrossVersionObjectReference . atomic
policy.v1.PodDisruptionBudgetStatus conditions map type patch=type
certificates.v1.CertificateSigningRequestStatus conditions map type
networking.v1.IngressServiceBackend port atomic
networking.v1.ServiceBackendPort . atomic
networking.v1.ServiceCIDRStatus conditions map type patch=type
rbac.v1.RoleRef . atomic
rbac.v1.Subject . atomic
admissionregistration.v1.MutatingWebhookConfiguration webhooks map name patch=name
admissionregistration.v1.ValidatingWebhookConfiguration webhooks map name patch=name
admissionregistration.v1.MutatingWebhook matchConditions map name patch=name
admissionregistration.v1.ValidatingWebhook matchConditions map name patch=name
apiextensions.v1.CustomResourceDefinitionStatus conditions map type
storage.v1.CSINodeSpec drivers map name patch=name
storage.v1.CSIDriverSpec volumeLifecycleModes set
apiextensions.v1.JSONSchemaProps x-kubernetes-validations map rule patch=rule
batch.v1.PodFailurePolicyOnExitCodesRequirement values set
batch.v1.UncountedTerminatedPods failed set
batch.v1.UncountedTerminatedPods succeeded set
core.v1.ContainerRestartRuleOnExitCodes values set
core.v1.ContainerStatus allocatedResourcesStatus map name patch=name
core.v1.FileKeySelector . atomic
core.v1.ResourceStatus resources map resourceID
discovery.v1.Endpoint addresses set
discovery.v1.EndpointPort . atomic
meta.v1.OwnerReference . atomic
node.v1.Scheduling nodeSelector atomic
`

export interface MergeRule {
  readonly list?: 'atomic' | 'set' | 'map'
  readonly atomic?: boolean
  readonly keys?: readonly string[]
  readonly patch?: { readonly key?: string; readonly retainKeys?: boolean }
}

const rules = new Map<string, MergeRule>()
for (const line of TABLE.split('\n')) {
  const [definition, field, ...words] = line.split(' ')
  if (!definition || !field) continue
  const patch = words.find((w) => w.startsWith('patch='))
  const retainKeys = words.includes('retain')
  const kind = words[0]
  rules.set(`${definition} ${field}`, {
    ...(kind === 'map' ? { list: 'map', keys: words[1]?.split(',') ?? [] } : {}),
    ...(kind === 'set' ? { list: 'set' } : {}),
    ...(kind === 'atomic' ? { atomic: true } : {}),
    ...(patch || retainKeys
      ? { patch: { ...(patch && patch.length > 6 ? { key: patch.slice(6) } : {}), ...(retainKeys ? { retainKeys } : {}) } }
      : {}),
  })
}

/** The rule for a field, or with `.` for the definition itself. */
export function mergeRule(definition: string, field: string): MergeRule {
  return rules.get(`${definition} ${field}`) ?? {}
}
