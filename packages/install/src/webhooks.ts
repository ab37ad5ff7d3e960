/** Which requests the API server brings to istiod: pods to inject, configuration to check. */
import type { KubeObject } from '@lateen/api'
import { istiodName } from './istiod.ts'
import { commonLabels, kubeObject } from './object.ts'
import { type Installation, revisionSuffix } from './options.ts'

type Expression = { readonly key: string; readonly operator: string; readonly values?: readonly string[] }

const ADMISSION = 'admissionregistration.k8s.io/v1'
const isIn = (key: string, ...values: string[]): Expression => ({ key, operator: 'In', values })
const notIn = (key: string, ...values: string[]): Expression => ({ key, operator: 'NotIn', values })
const absent = (key: string): Expression => ({ key, operator: 'DoesNotExist' })

const INJECT = 'sidecar.istio.io/inject'
const REVISION = 'istio.io/rev'
const NAMESPACE_SWITCH = 'istio-injection'

/** MutatingWebhookConfiguration `istio-sidecar-injector`: by revision label of namespace or pod, by `istio-injection`, by the pod's own label. */
export function injectionWebhooks(installation: Installation): KubeObject {
  const client = clientConfig(installation, '/inject')
  const name = `istio-sidecar-injector${revisionSuffix(installation)}`
  return kubeObject(
    ADMISSION,
    'MutatingWebhookConfiguration',
    { name, labels: commonLabels(installation, 'istiod', { app: 'sidecar-injector' }) },
    { webhooks: selectingWebhooks(client, installation.revision) },
  )
}

export interface RevisionTag {
  readonly tag: string
  /** The revision that it stands for. */
  readonly revision: string
  /** Of the control plane. */
  readonly namespace: string
  /** How the revision's own webhooks are reached. */
  readonly injection: ClientConfig
  /** The same of its validation; for the tag `default`. */
  readonly validation?: ClientConfig
  /** Name of the object; `istio-revision-tag-<tag>` when not given. */
  readonly name?: string
  /** For the tag `default`: pods of namespaces that say nothing are injected as well. */
  readonly everywhere?: boolean
}

/** What makes a tag: pods and namespaces with `istio.io/rev: <tag>` are injected by the revision; for `default`, those without revision too. */
export function revisionTagWebhooks(tag: RevisionTag): KubeObject[] {
  const labels = { 'istio.io/rev': tag.revision, 'istio.io/tag': tag.tag }
  const suffix = tag.namespace === 'istio-system' ? '' : `-${tag.namespace}`
  const name = tag.name ?? `istio-revision-tag-${tag.tag}${suffix}`
  const injection = kubeObject(
    ADMISSION,
    'MutatingWebhookConfiguration',
    { name, labels: { app: 'sidecar-injector', ...labels } },
    {
      webhooks: [
        ...selectingWebhooks(tag.injection, tag.tag),
        ...(tag.tag === 'default' && tag.everywhere ? [everywhere(tag.injection)] : []),
      ],
    },
  )
  if (tag.tag !== 'default' || !tag.validation) return [injection]
  const validation = kubeObject(
    ADMISSION,
    'ValidatingWebhookConfiguration',
    { name: 'istiod-default-validator', labels: { app: 'istiod', istio: 'istiod', ...labels } },
    { webhooks: [validator(tag.validation, '', absent(REVISION))] },
  )
  return [injection, validation]
}

/** Webhooks for what names `revision`; for `default`, also for what is injected without naming one. */
function selectingWebhooks(client: ClientConfig, revision: string): Record<string, unknown>[] {
  const notRefused = notIn(INJECT, 'false')
  const byRevision = [
    webhook(client, 'rev.namespace', [isIn(REVISION, revision), absent(NAMESPACE_SWITCH)], [notRefused]),
    webhook(client, 'rev.object', [absent(REVISION), absent(NAMESPACE_SWITCH)], [notRefused, isIn(REVISION, revision)]),
  ]
  const byDefault = [
    webhook(client, 'namespace', [isIn(NAMESPACE_SWITCH, 'enabled')], [notRefused]),
    webhook(client, 'object', [absent(NAMESPACE_SWITCH), absent(REVISION)], [isIn(INJECT, 'true'), absent(REVISION)]),
  ]
  return revision === 'default' ? [...byRevision, ...byDefault] : byRevision
}

const everywhere = (client: ClientConfig): Record<string, unknown> =>
  webhook(
    client,
    'auto',
    [
      absent(NAMESPACE_SWITCH),
      absent(REVISION),
      notIn('kubernetes.io/metadata.name', 'kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage'),
    ],
    [absent(INJECT), absent(REVISION)],
  )

/** `clientConfig` of a webhook: a Service or a URL, and the CA. */
export type ClientConfig = Readonly<Record<string, unknown>>

function webhook(
  clientConfig: ClientConfig,
  name: string,
  namespaceSelector: readonly Expression[],
  objectSelector: readonly Expression[],
): Record<string, unknown> {
  return {
    name: `${name}.sidecar-injector.istio.io`,
    clientConfig,
    sideEffects: 'None',
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    admissionReviewVersions: ['v1'],
    namespaceSelector: { matchExpressions: namespaceSelector },
    objectSelector: { matchExpressions: objectSelector },
  }
}

/** ValidatingWebhookConfiguration `istio-validator-<namespace>`. `Ignore`: objects can be written before istiod answers. */
export function validationWebhooks(installation: Installation): KubeObject {
  const { namespace, revision } = installation
  const client = clientConfig(installation, '/validate')
  const name = `istio-validator${revisionSuffix(installation)}-${namespace}`
  return kubeObject(
    ADMISSION,
    'ValidatingWebhookConfiguration',
    { name, labels: commonLabels(installation, 'istiod', { app: 'istiod', istio: 'istiod' }) },
    {
      webhooks: [
        validator(client, 'rev.', isIn(REVISION, revision)),
        ...(revision === 'default' ? [validator(client, '', absent(REVISION))] : []),
      ],
    },
  )
}

const VALIDATED_GROUPS = ['security.istio.io', 'networking.istio.io', 'telemetry.istio.io', 'extensions.istio.io']

function validator(clientConfig: ClientConfig, prefix: string, selector: Expression): Record<string, unknown> {
  return {
    name: `${prefix}validation.istio.io`,
    clientConfig,
    sideEffects: 'None',
    rules: [{ operations: ['CREATE', 'UPDATE'], apiGroups: VALIDATED_GROUPS, apiVersions: ['*'], resources: ['*'] }],
    failurePolicy: 'Ignore',
    admissionReviewVersions: ['v1'],
    objectSelector: { matchExpressions: [selector] },
  }
}

function clientConfig(installation: Installation, path: string): Record<string, unknown> {
  const { namespace, caBundle } = installation
  return { service: { name: istiodName(installation), namespace, path, port: 443 }, ...(caBundle === undefined ? {} : { caBundle }) }
}
