/** The built-in kinds: one line each. */

export interface KindRow {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly definition: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly subresources: readonly string[]
  readonly countsGeneration: boolean
  readonly selectable: readonly string[]
  readonly virtual: boolean
  /** Stored with the kind of this collection. */
  readonly sharedCollection: string | undefined
}

/**
 * `definition plural flags…`; the group is that of the definition's first word. Flags: `cluster` (not namespaced), `gen`
 * (spec changes count the generation), `short=a,b`, `all` (category), `sub=a,b`, `select=a,b`, `virtual`, `in=collection`.
 */
const TABLE = `
core.v1.Namespace namespaces cluster short=ns sub=status,finalize select=status.phase
core.v1.Node nodes cluster short=no sub=status select=spec.unschedulable
core.v1.Pod pods gen short=po all sub=status,log,exec,attach,portforward,eviction,binding,ephemeralcontainers,resize,proxy select=spec.nodeName,spec.restartPolicy,spec.schedulerName,spec.serviceAccountName,spec.hostNetwork,status.phase,status.podIP,status.nominatedNodeName
core.v1.Service services short=svc all sub=status,proxy select=spec.clusterIP,spec.type
core.v1.Endpoints endpoints short=ep
core.v1.ConfigMap configmaps short=cm
core.v1.Secret secrets select=type
core.v1.ServiceAccount serviceaccounts short=sa sub=token
core.v1.Event events short=ev select=involvedObject.kind,involvedObject.namespace,involvedObject.name,involvedObject.uid,involvedObject.apiVersion,involvedObject.resourceVersion,involvedObject.fieldPath,reason,reportingComponent,source,type
core.v1.PersistentVolume persistentvolumes cluster short=pv sub=status
core.v1.PersistentVolumeClaim persistentvolumeclaims short=pvc sub=status
core.v1.ReplicationController replicationcontrollers gen short=rc all sub=status,scale select=status.replicas
core.v1.PodTemplate podtemplates gen
core.v1.LimitRange limitranges short=limits
core.v1.ResourceQuota resourcequotas short=quota sub=status
core.v1.Binding bindings virtual
apps.v1.Deployment deployments gen short=deploy all sub=status,scale
apps.v1.ReplicaSet replicasets gen short=rs all sub=status,scale select=status.replicas
apps.v1.StatefulSet statefulsets gen short=sts all sub=status,scale
apps.v1.DaemonSet daemonsets gen short=ds all sub=status
apps.v1.ControllerRevision controllerrevisions
batch.v1.Job jobs gen all sub=status select=status.successful
batch.v1.CronJob cronjobs gen short=cj all sub=status
autoscaling.v2.HorizontalPodAutoscaler horizontalpodautoscalers short=hpa all sub=status
autoscaling.v1.HorizontalPodAutoscaler horizontalpodautoscalers short=hpa all sub=status
discovery.v1.EndpointSlice endpointslices gen
events.v1.Event events short=ev in=/events select=regarding.kind,regarding.namespace,regarding.name,regarding.uid,reason,type
networking.v1.Ingress ingresses gen short=ing sub=status
networking.v1.IngressClass ingressclasses cluster gen
networking.v1.NetworkPolicy networkpolicies gen short=netpol
policy.v1.PodDisruptionBudget poddisruptionbudgets gen short=pdb sub=status
rbac.v1.Role roles
rbac.v1.RoleBinding rolebindings
rbac.v1.ClusterRole clusterroles cluster
rbac.v1.ClusterRoleBinding clusterrolebindings cluster
coordination.v1.Lease leases
certificates.v1.CertificateSigningRequest certificatesigningrequests cluster short=csr sub=status,approval select=spec.signerName
admissionregistration.v1.MutatingWebhookConfiguration mutatingwebhookconfigurations cluster gen
admissionregistration.v1.ValidatingWebhookConfiguration validatingwebhookconfigurations cluster gen
apiextensions.v1.CustomResourceDefinition customresourcedefinitions cluster gen short=crd,crds sub=status
scheduling.v1.PriorityClass priorityclasses cluster gen short=pc
node.v1.RuntimeClass runtimeclasses cluster
storage.v1.StorageClass storageclasses cluster short=sc
storage.v1.CSIDriver csidrivers cluster gen
storage.v1.CSINode csinodes cluster
storage.v1.VolumeAttachment volumeattachments cluster sub=status
authentication.v1.TokenReview tokenreviews cluster virtual
authentication.v1.SelfSubjectReview selfsubjectreviews cluster virtual
authorization.v1.SubjectAccessReview subjectaccessreviews cluster virtual
authorization.v1.SelfSubjectAccessReview selfsubjectaccessreviews cluster virtual
authorization.v1.LocalSubjectAccessReview localsubjectaccessreviews virtual
authorization.v1.SelfSubjectRulesReview selfsubjectrulesreviews cluster virtual
`

export const GROUPS: Readonly<Record<string, string>> = {
  core: '',
  apps: 'apps',
  batch: 'batch',
  autoscaling: 'autoscaling',
  policy: 'policy',
  discovery: 'discovery.k8s.io',
  events: 'events.k8s.io',
  networking: 'networking.k8s.io',
  rbac: 'rbac.authorization.k8s.io',
  coordination: 'coordination.k8s.io',
  certificates: 'certificates.k8s.io',
  admissionregistration: 'admissionregistration.k8s.io',
  apiextensions: 'apiextensions.k8s.io',
  scheduling: 'scheduling.k8s.io',
  node: 'node.k8s.io',
  storage: 'storage.k8s.io',
  authentication: 'authentication.k8s.io',
  authorization: 'authorization.k8s.io',
}

export const KIND_ROWS: readonly KindRow[] = TABLE.trim()
  .split('\n')
  .map((line): KindRow => {
    const [definition = '', plural = '', ...flags] = line.split(' ')
    const [area = '', version = '', kind = ''] = definition.split('.')
    const values = (name: string) =>
      flags
        .find((f) => f.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .split(',') ?? []
    return {
      group: GROUPS[area] ?? area,
      version,
      kind,
      plural,
      definition,
      namespaced: !flags.includes('cluster'),
      shortNames: values('short'),
      categories: flags.includes('all') ? ['all'] : [],
      subresources: values('sub'),
      countsGeneration: flags.includes('gen'),
      selectable: values('select'),
      virtual: flags.includes('virtual'),
      sharedCollection: values('in')[0],
    }
  })
